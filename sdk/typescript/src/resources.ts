import { Call, type ListCall } from './call.js';
import { type Body, type Item, type Query, Resource, type Result, segment } from './resource.js';
import type { RequestOptions } from './transport.js';

/** People who left their contact details, with their pipeline stage. */
export class Leads extends Resource {
  list(query?: Query<'listLeads'>, options?: RequestOptions): ListCall<Item<'listLeads'>> {
    return this.many<'listLeads'>('/leads', query, options);
  }

  create(lead: Body<'createLead'>, options?: RequestOptions): Call<Result<'createLead'>> {
    return this.one<'createLead'>({ method: 'POST', path: '/leads', json: lead }, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getLead'>> {
    return this.one<'getLead'>({ method: 'GET', path: `/leads/${segment(id)}` }, options);
  }

  update(id: string, change: Body<'updateLead'>, options?: RequestOptions): Call<Result<'updateLead'>> {
    return this.one<'updateLead'>({ method: 'PATCH', path: `/leads/${segment(id)}`, json: change }, options);
  }

  delete(id: string, options?: RequestOptions): Call<Result<'deleteLead'>> {
    return this.one<'deleteLead'>({ method: 'DELETE', path: `/leads/${segment(id)}` }, options);
  }

  updateStatus(id: string, change: Body<'updateLeadStatus'>, options?: RequestOptions): Call<Result<'updateLeadStatus'>> {
    return this.one<'updateLeadStatus'>({ method: 'PATCH', path: `/leads/${segment(id)}/status`, json: change }, options);
  }
}

/** People the workspace talks to. */
export class Contacts extends Resource {
  list(query?: Query<'listContacts'>, options?: RequestOptions): ListCall<Item<'listContacts'>> {
    return this.many<'listContacts'>('/contacts', query, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getContact'>> {
    return this.one<'getContact'>({ method: 'GET', path: `/contacts/${segment(id)}` }, options);
  }

  update(id: string, change: Body<'updateContact'>, options?: RequestOptions): Call<Result<'updateContact'>> {
    return this.one<'updateContact'>({ method: 'PATCH', path: `/contacts/${segment(id)}`, json: change }, options);
  }

  delete(id: string, options?: RequestOptions): Call<Result<'deleteContact'>> {
    return this.one<'deleteContact'>({ method: 'DELETE', path: `/contacts/${segment(id)}` }, options);
  }

  export(id: string, options?: RequestOptions): Call<Result<'exportContact'>> {
    return this.one<'exportContact'>({ method: 'GET', path: `/contacts/${segment(id)}/export` }, options);
  }
}

/** Files of messages. */
export class Attachments extends Resource {
  get(id: string, options?: RequestOptions): Call<Blob> {
    return this.file({ method: 'GET', path: `/attachments/${segment(id)}` }, options);
  }
}

/** Filters for conversations. `tagIds` can be an array. */
export type ConversationQuery = Omit<Query<'listConversations'>, 'tagIds'> & { tagIds?: readonly string[] };

/** The messages of a conversation, in pages. */
export class ConversationMessages extends Resource {
  list(id: string, query?: Query<'listConversationMessages'>, options?: RequestOptions): ListCall<Item<'listConversationMessages'>> {
    return this.many<'listConversationMessages'>(`/conversations/${segment(id)}/messages`, query, options);
  }

  get(id: string, messageId: string, options?: RequestOptions): Call<Result<'getConversationMessage'>> {
    return this.one<'getConversationMessage'>({ method: 'GET', path: `/conversations/${segment(id)}/messages/${segment(messageId)}` }, options);
  }
}

/** Conversations and their transcripts. */
export class Conversations extends Resource {
  readonly messages = new ConversationMessages(this.transport);

  list(query?: ConversationQuery, options?: RequestOptions): ListCall<Item<'listConversations'>> {
    return this.many<'listConversations'>('/conversations', query, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getConversation'>> {
    return this.one<'getConversation'>({ method: 'GET', path: `/conversations/${segment(id)}` }, options);
  }

  create(conversation: Body<'createConversation'>, options?: RequestOptions): Call<Result<'createConversation'>> {
    return this.one<'createConversation'>({ method: 'POST', path: '/conversations', json: conversation }, options);
  }

  handOff(id: string, handOff: NonNullable<Body<'handOffConversation'>> = {}, options?: RequestOptions): Call<Result<'handOffConversation'>> {
    return this.one<'handOffConversation'>({ method: 'POST', path: `/conversations/${segment(id)}/hand-off`, json: handOff }, options);
  }

  release(id: string, options?: RequestOptions): Call<Result<'releaseConversation'>> {
    return this.one<'releaseConversation'>({ method: 'POST', path: `/conversations/${segment(id)}/release` }, options);
  }

  close(id: string, options?: RequestOptions): Call<Result<'closeConversation'>> {
    return this.one<'closeConversation'>({ method: 'POST', path: `/conversations/${segment(id)}/close` }, options);
  }

  reopen(id: string, options?: RequestOptions): Call<Result<'reopenConversation'>> {
    return this.one<'reopenConversation'>({ method: 'POST', path: `/conversations/${segment(id)}/reopen` }, options);
  }

  reportTyping(id: string, typing: Body<'reportOperatorTyping'>, options?: RequestOptions): Call<Result<'reportOperatorTyping'>> {
    return this.one<'reportOperatorTyping'>({ method: 'POST', path: `/conversations/${segment(id)}/typing`, json: typing, readOnly: true }, options);
  }

  sendOperatorMessage(id: string, message: Body<'sendOperatorMessage'>, options?: RequestOptions): Call<Result<'sendOperatorMessage'>> {
    return this.one<'sendOperatorMessage'>({ method: 'POST', path: `/conversations/${segment(id)}/operator-message`, json: message }, options);
  }

  sendTemplateMessage(id: string, message: Body<'sendTemplateMessage'>, options?: RequestOptions): Call<Result<'sendTemplateMessage'>> {
    return this.one<'sendTemplateMessage'>({ method: 'POST', path: `/conversations/${segment(id)}/template-message`, json: message }, options);
  }

  bulk(change: Body<'bulkUpdateConversations'>, options?: RequestOptions): Call<Result<'bulkUpdateConversations'>> {
    return this.one<'bulkUpdateConversations'>({ method: 'POST', path: '/conversations/bulk', json: change }, options);
  }
}

/** People who reply in conversations. */
export class Operators extends Resource {
  list(query?: Query<'listOperators'>, options?: RequestOptions): ListCall<Item<'listOperators'>> {
    return this.many<'listOperators'>('/operators', query, options);
  }

  create(operator: Body<'createOperator'>, options?: RequestOptions): Call<Result<'createOperator'>> {
    return this.one<'createOperator'>({ method: 'POST', path: '/operators', json: operator }, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getOperator'>> {
    return this.one<'getOperator'>({ method: 'GET', path: `/operators/${segment(id)}` }, options);
  }

  update(id: string, change: Body<'updateOperator'>, options?: RequestOptions): Call<Result<'updateOperator'>> {
    return this.one<'updateOperator'>({ method: 'PATCH', path: `/operators/${segment(id)}`, json: change }, options);
  }
}

/** Labels for conversations. */
export class Tags extends Resource {
  list(query?: Query<'listTags'>, options?: RequestOptions): ListCall<Item<'listTags'>> {
    return this.many<'listTags'>('/tags', query, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getTag'>> {
    return this.one<'getTag'>({ method: 'GET', path: `/tags/${segment(id)}` }, options);
  }

  create(tag: Body<'createTag'>, options?: RequestOptions): Call<Result<'createTag'>> {
    return this.one<'createTag'>({ method: 'POST', path: '/tags', json: tag }, options);
  }
}

/** AI agents and their models. */
export class Agents extends Resource {
  list(query?: Query<'listAgents'>, options?: RequestOptions): ListCall<Item<'listAgents'>> {
    return this.many<'listAgents'>('/agents', query, options);
  }

  create(agent: Body<'createAgent'>, options?: RequestOptions): Call<Result<'createAgent'>> {
    return this.one<'createAgent'>({ method: 'POST', path: '/agents', json: agent }, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getAgent'>> {
    return this.one<'getAgent'>({ method: 'GET', path: `/agents/${segment(id)}` }, options);
  }

  update(id: string, change: Body<'updateAgent'>, options?: RequestOptions): Call<Result<'updateAgent'>> {
    return this.one<'updateAgent'>({ method: 'PATCH', path: `/agents/${segment(id)}`, json: change }, options);
  }

  publish(id: string, options?: RequestOptions): Call<Result<'publishAgent'>> {
    return this.one<'publishAgent'>({ method: 'POST', path: `/agents/${segment(id)}/publish` }, options);
  }

  rollBack(id: string, to: Body<'rollBackAgent'>, options?: RequestOptions): Call<Result<'rollBackAgent'>> {
    return this.one<'rollBackAgent'>({ method: 'POST', path: `/agents/${segment(id)}/rollback`, json: to }, options);
  }

  listVersions(id: string, query?: Query<'listAgentVersions'>, options?: RequestOptions): ListCall<Item<'listAgentVersions'>> {
    return this.many<'listAgentVersions'>(`/agents/${segment(id)}/versions`, query, options);
  }

  getVersion(id: string, version: number, options?: RequestOptions): Call<Result<'getAgentVersion'>> {
    return this.one<'getAgentVersion'>({ method: 'GET', path: `/agents/${segment(id)}/versions/${segment(String(version))}` }, options);
  }

  evaluate(id: string, set: Body<'createAgentEvaluation'>, options?: RequestOptions): Call<Result<'createAgentEvaluation'>> {
    return this.one<'createAgentEvaluation'>({ method: 'POST', path: `/agents/${segment(id)}/evaluations`, json: set }, options);
  }

  listEvaluations(id: string, query?: Query<'listAgentEvaluations'>, options?: RequestOptions): ListCall<Item<'listAgentEvaluations'>> {
    return this.many<'listAgentEvaluations'>(`/agents/${segment(id)}/evaluations`, query, options);
  }

  getEvaluation(id: string, evaluationId: string, options?: RequestOptions): Call<Result<'getAgentEvaluation'>> {
    return this.one<'getAgentEvaluation'>({ method: 'GET', path: `/agents/${segment(id)}/evaluations/${segment(evaluationId)}` }, options);
  }

  listRuns(id: string, query?: Query<'listAgentRuns'>, options?: RequestOptions): ListCall<Item<'listAgentRuns'>> {
    return this.many<'listAgentRuns'>(`/agents/${segment(id)}/runs`, query, options);
  }

  preview(id: string, conversation: Body<'previewAgent'>, options?: RequestOptions): Call<Result<'previewAgent'>> {
    return this.one<'previewAgent'>({ method: 'POST', path: `/agents/${segment(id)}/preview`, json: conversation, readOnly: true }, options);
  }

  check(id: string, options?: RequestOptions): Call<Result<'checkAgent'>> {
    return this.one<'checkAgent'>({ method: 'POST', path: `/agents/${segment(id)}/check`, readOnly: true }, options);
  }
}

/** Providers of language models that the agents of the workspace use. */
export class ModelProviders extends Resource {
  get(provider: string, options?: RequestOptions): Call<Result<'getModelProvider'>> {
    return this.one<'getModelProvider'>({ method: 'GET', path: `/model-providers/${segment(provider)}` }, options);
  }

  update(provider: string, change: Body<'updateModelProvider'>, options?: RequestOptions): Call<Result<'updateModelProvider'>> {
    return this.one<'updateModelProvider'>({ method: 'PATCH', path: `/model-providers/${segment(provider)}`, json: change }, options);
  }

  delete(provider: string, options?: RequestOptions): Call<Result<'deleteModelProvider'>> {
    return this.one<'deleteModelProvider'>({ method: 'DELETE', path: `/model-providers/${segment(provider)}` }, options);
  }
}

/** What agents may spend on models. */
export class ModelBudget extends Resource {
  get(options?: RequestOptions): Call<Result<'getModelBudget'>> {
    return this.one<'getModelBudget'>({ method: 'GET', path: '/model-budget' }, options);
  }

  update(change: Body<'updateModelBudget'>, options?: RequestOptions): Call<Result<'updateModelBudget'>> {
    return this.one<'updateModelBudget'>({ method: 'PATCH', path: '/model-budget', json: change }, options);
  }
}

/** Channels through which contacts reach the workspace. */
export class Channels extends Resource {
  list(query?: Query<'listChannels'>, options?: RequestOptions): ListCall<Item<'listChannels'>> {
    return this.many<'listChannels'>('/channels', query, options);
  }

  create(channel: Body<'createChannel'>, options?: RequestOptions): Call<Result<'createChannel'>> {
    return this.one<'createChannel'>({ method: 'POST', path: '/channels', json: channel }, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getChannel'>> {
    return this.one<'getChannel'>({ method: 'GET', path: `/channels/${segment(id)}` }, options);
  }

  update(id: string, change: Body<'updateChannel'>, options?: RequestOptions): Call<Result<'updateChannel'>> {
    return this.one<'updateChannel'>({ method: 'PATCH', path: `/channels/${segment(id)}`, json: change }, options);
  }

  delete(id: string, options?: RequestOptions): Call<Result<'deleteChannel'>> {
    return this.one<'deleteChannel'>({ method: 'DELETE', path: `/channels/${segment(id)}` }, options);
  }

  authorize(id: string, options?: RequestOptions): Call<Result<'authorizeChannel'>> {
    return this.one<'authorizeChannel'>({ method: 'POST', path: `/channels/${segment(id)}/authorization` }, options);
  }

  listTemplates(id: string, query?: Query<'listChannelTemplates'>, options?: RequestOptions): ListCall<Item<'listChannelTemplates'>> {
    return this.many<'listChannelTemplates'>(`/channels/${segment(id)}/templates`, query, options);
  }

  check(id: string, options?: RequestOptions): Call<Result<'checkChannel'>> {
    return this.one<'checkChannel'>({ method: 'POST', path: `/channels/${segment(id)}/check` }, options);
  }
}

/** Metrics of the workspace. */
export class Analytics extends Resource {
  overview(query?: Query<'getAnalyticsOverview'>, options?: RequestOptions): Call<Result<'getAnalyticsOverview'>> {
    return this.one<'getAnalyticsOverview'>({ method: 'GET', path: '/analytics/overview', query }, options);
  }

  agents(query?: Query<'getAgentAnalytics'>, options?: RequestOptions): Call<Result<'getAgentAnalytics'>> {
    return this.one<'getAgentAnalytics'>({ method: 'GET', path: '/analytics/agents', query }, options);
  }

  timeseries(query?: Query<'getAnalyticsTimeseries'>, options?: RequestOptions): Call<Result<'getAnalyticsTimeseries'>> {
    return this.one<'getAnalyticsTimeseries'>({ method: 'GET', path: '/analytics/timeseries', query }, options);
  }
}

/** Webhooks and other integrations. */
export class Integrations extends Resource {
  list(query?: Query<'listIntegrations'>, options?: RequestOptions): ListCall<Item<'listIntegrations'>> {
    return this.many<'listIntegrations'>('/integrations', query, options);
  }

  get(id: string, options?: RequestOptions): Call<Result<'getIntegration'>> {
    return this.one<'getIntegration'>({ method: 'GET', path: `/integrations/${segment(id)}` }, options);
  }

  update(id: string, change: Body<'updateIntegration'>, options?: RequestOptions): Call<Result<'updateIntegration'>> {
    return this.one<'updateIntegration'>({ method: 'PATCH', path: `/integrations/${segment(id)}`, json: change }, options);
  }

  delete(id: string, options?: RequestOptions): Call<Result<'deleteIntegration'>> {
    return this.one<'deleteIntegration'>({ method: 'DELETE', path: `/integrations/${segment(id)}` }, options);
  }

  rotateSecret(id: string, rotation: Body<'rotateIntegrationSecret'> = {}, options?: RequestOptions): Call<Result<'rotateIntegrationSecret'>> {
    return this.one<'rotateIntegrationSecret'>({ method: 'POST', path: `/integrations/${segment(id)}/rotate-secret`, json: rotation }, options);
  }

  test(id: string, options?: RequestOptions): Call<Result<'testIntegration'>> {
    return this.one<'testIntegration'>({ method: 'POST', path: `/integrations/${segment(id)}/test` }, options);
  }

  listDeliveries(id: string, query?: Query<'listIntegrationDeliveries'>, options?: RequestOptions): ListCall<Item<'listIntegrationDeliveries'>> {
    return this.many<'listIntegrationDeliveries'>(`/integrations/${segment(id)}/deliveries`, query, options);
  }

  redeliver(id: string, deliveryId: string, options?: RequestOptions): Call<Result<'redeliverIntegrationDelivery'>> {
    return this.one<'redeliverIntegrationDelivery'>({ method: 'POST', path: `/integrations/${segment(id)}/deliveries/${segment(deliveryId)}/redeliver` }, options);
  }
}

/** The events of the workspace, in order. */
export class Events extends Resource {
  list(query?: Query<'listEvents'>, options?: RequestOptions): ListCall<Item<'listEvents'>> {
    return this.many<'listEvents'>('/events', query, options);
  }
}

/** The OpenAPI document and the Postman collection. */
export class Meta extends Resource {
  openapi(options?: RequestOptions): Call<Record<string, unknown>> {
    return this.one<'getOpenAPIDocument'>({ method: 'GET', path: '/openapi.json' }, options) as Call<Record<string, unknown>>;
  }

  postman(options?: RequestOptions): Call<Record<string, unknown>> {
    return this.one<'getPostmanCollection'>({ method: 'GET', path: '/postman.json' }, options) as Call<Record<string, unknown>>;
  }
}
