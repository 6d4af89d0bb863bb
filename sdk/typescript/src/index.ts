import { Knowledge } from './knowledge.js';
import { Agents, Analytics, Attachments, Channels, Contacts, Conversations, Events, Integrations, Leads, Meta, ModelBudget, ModelProviders, Operators, Tags } from './resources.js';
import { type ClientOptions, Transport } from './transport.js';
import { Webhooks } from './webhooks.js';

/** Client of the Convo Public API. A client accesses the workspace of its token. */
export class AveltoClient {
  readonly leads: Leads;
  readonly conversations: Conversations;
  readonly attachments: Attachments;
  readonly contacts: Contacts;
  readonly operators: Operators;
  readonly tags: Tags;
  readonly agents: Agents;
  readonly modelProviders: ModelProviders;
  readonly modelBudget: ModelBudget;
  readonly channels: Channels;
  readonly analytics: Analytics;
  readonly knowledge: Knowledge;
  readonly webhooks: Webhooks;
  readonly integrations: Integrations;
  readonly events: Events;
  readonly meta: Meta;

  constructor(options: ClientOptions = {}) {
    const transport = new Transport(options);
    this.leads = new Leads(transport);
    this.conversations = new Conversations(transport);
    this.attachments = new Attachments(transport);
    this.contacts = new Contacts(transport);
    this.operators = new Operators(transport);
    this.tags = new Tags(transport);
    this.agents = new Agents(transport);
    this.modelProviders = new ModelProviders(transport);
    this.modelBudget = new ModelBudget(transport);
    this.channels = new Channels(transport);
    this.analytics = new Analytics(transport);
    this.knowledge = new Knowledge(transport);
    this.webhooks = new Webhooks(transport);
    this.integrations = new Integrations(transport);
    this.events = new Events(transport);
    this.meta = new Meta(transport);
  }
}

export { Call, ListCall, Page } from './call.js';
export * from './errors.js';
export { JobError, JobTimeoutError, type UploadOptions, type Uploadable, type WaitOptions } from './knowledge.js';
export type { Body, Item, Operation, Query, Result } from './resource.js';
export type * from './schema.gen.js';
export type { ClientOptions, RequestOptions } from './transport.js';
export {
  sign, unwrap, WebhookVerificationError, type IncomingHeaders, type SignOptions, type UnwrapOptions, type VerificationFault,
  type WebhookEvent, type WebhookEventType,
} from './webhooks.js';
