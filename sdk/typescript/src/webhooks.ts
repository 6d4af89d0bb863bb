import { Call } from './call.js';
import { AveltoError } from './errors.js';
import { type Body, type Item, Resource, type Result } from './resource.js';
import type { Event } from './schema.gen.js';
import type { RequestOptions } from './transport.js';

/** An event: `type` tells which, and so what `data` is. */
export type WebhookEvent = Event;
/** The name of an event. */
export type WebhookEventType = WebhookEvent['type'];
/** Headers as any server gives them. */
export type IncomingHeaders = Headers | Record<string, string | readonly string[] | undefined>;

/** What is wrong with a webhook's request. */
export type VerificationFault =
  | 'parsed_body' | 'secret_form' | 'missing_signature' | 'malformed_signature' | 'too_old' | 'too_new' | 'no_match' | 'not_json';

/** A webhook's request is not to be trusted, or was not given as it came; `fault` says which. */
export class WebhookVerificationError extends AveltoError {
  override readonly name = 'WebhookVerificationError';
  readonly fault: VerificationFault;

  constructor(fault: VerificationFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** How strictly to look. */
export interface UnwrapOptions {
  /** Seconds by which the sender's clock may differ; 300 where it is left out. */
  tolerance?: number;
  /** The time to compare with; now where it is left out. */
  now?: Date;
}

/** What to sign a test's payload with. */
export interface SignOptions {
  id?: string;
  timestamp?: Date;
}

const fiveMinutes = 300;
const text = new TextEncoder();

/**
 * Checks the signature of a webhook's request and returns its event.
 *
 * Give the body as it came, not parsed. Either scheme is taken: `X-Convo-Signature`, or the headers of Standard
 * Webhooks. While a secret is rotated, give both in a list.
 */
export async function unwrap(
  rawBody: string | Uint8Array | ArrayBuffer, headers: IncomingHeaders, secret: string | readonly string[], options: UnwrapOptions = {},
): Promise<WebhookEvent> {
  const body = bytesOf(rawBody);
  const keys = (typeof secret === 'string' ? [secret] : secret).map(keyOf);
  const { id, unix, signatures, signed } = signaturesOf(headers);
  const age = (options.now ?? new Date()).getTime() / 1000 - unix;
  const tolerance = options.tolerance ?? fiveMinutes;
  if (age > tolerance) throw new WebhookVerificationError('too_old', `The request was signed ${Math.round(age)} seconds ago, more than ${tolerance}: is it a replay, or is the clock wrong?`);
  if (-age > tolerance) throw new WebhookVerificationError('too_new', `The request was signed ${Math.round(-age)} seconds ahead of the clock, more than ${tolerance}: is the clock wrong?`);
  const content = join(signed === 'convo' ? `${unix}.` : `${id}.${unix}.`, body);
  for (const bytes of keys) {
    const key = await importKey(bytes);
    for (const signature of signatures) {
      // In constant time, as WebCrypto compares.
      if (await crypto.subtle.verify('HMAC', key, signature as BufferSource, content as BufferSource)) return parse(body);
    }
  }
  throw new WebhookVerificationError('no_match', 'No signature matches: is it the secret of this webhook, and the body byte for byte as it came?');
}

/** Signs a payload as the server does, in both schemes: for the tests of a receiver. */
export async function sign(
  payload: string | object, secret: string, options: SignOptions = {},
): Promise<{ body: string; headers: Record<string, string> }> {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const id = options.id ?? (typeof payload === 'object' && 'id' in payload ? String(payload.id) : crypto.randomUUID());
  const unix = Math.floor((options.timestamp ?? new Date()).getTime() / 1000);
  const key = await importKey(keyOf(secret));
  const mac = async (prefix: string) => new Uint8Array(await crypto.subtle.sign('HMAC', key, join(prefix, text.encode(body)) as BufferSource));
  const own = Array.from(await mac(`${unix}.`), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const standard = btoa(String.fromCharCode(...await mac(`${id}.${unix}.`)));
  return {
    body,
    headers: {
      'content-type': 'application/json', 'x-convo-signature': `t=${unix},v1=${own}`,
      'webhook-id': id, 'webhook-timestamp': String(unix), 'webhook-signature': `v1,${standard}`,
    },
  };
}

/** Subscriptions to events. */
export class Webhooks extends Resource {
  /** Every webhook of the workspace, whatever other integrations there are. */
  list(options?: RequestOptions): Call<Item<'listIntegrations'>[]> {
    const all = async () => {
      const found: Item<'listIntegrations'>[] = [];
      const pages = this.many<'listIntegrations'>('/integrations', { limit: 200 }, options);
      const { response } = await pages.withResponse();
      for await (const one of pages) if (one.type === 'WEBHOOK') found.push(one);
      return { data: found, response };
    };
    return new Call(all());
  }

  /** Subscribes an address. The answer has the signing secret, this once. */
  create(webhook: Omit<Body<'createWebhook'>, 'type'> & { type?: 'WEBHOOK' }, options?: RequestOptions): Call<Result<'createWebhook'>> {
    return this.one<'createWebhook'>({ method: 'POST', path: '/integrations/webhook', json: { type: 'WEBHOOK', ...webhook } }, options);
  }

  /** See {@link unwrap}. */
  readonly unwrap = unwrap;
  /** See {@link sign}. */
  readonly sign = sign;
}

function bytesOf(rawBody: unknown): Uint8Array {
  if (typeof rawBody === 'string') return text.encode(rawBody);
  if (rawBody instanceof ArrayBuffer) return new Uint8Array(rawBody);
  if (ArrayBuffer.isView(rawBody)) return new Uint8Array(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength);
  throw new WebhookVerificationError('parsed_body', 'The body was parsed before it was given: the signature is of its bytes. Give the raw body, such as express.raw() or request.text() return.');
}

/** The key of a secret: all of its bytes; of the form for Standard Webhooks, those inside. */
function keyOf(secret: string): Uint8Array {
  if (/^wh_[0-9a-f]{48}$/.test(secret)) return text.encode(secret);
  const inner = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  if (inner !== undefined) {
    try {
      return Uint8Array.from(atob(inner), (character) => character.charCodeAt(0));
    } catch {
      // Said below.
    }
  }
  throw new WebhookVerificationError('secret_form', 'The secret has the wrong form: a signing secret is wh_ and 48 hexadecimal digits, or whsec_ and base64. It is no API token.');
}

interface Found {
  signed: 'convo' | 'standard';
  id: string;
  unix: number;
  signatures: Uint8Array[];
}

function signaturesOf(headers: IncomingHeaders): Found {
  const read = (name: string) => {
    if (headers instanceof Headers) return headers.get(name) ?? undefined;
    const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
    return typeof value === 'string' || value === undefined ? value : value.join(',');
  };
  const own = read('x-convo-signature');
  if (own !== undefined) {
    const parts = own.split(',').map((part) => part.trim().split('='));
    const values = (wanted: string) => parts.filter(([name]) => name === wanted).map(([, value]) => value ?? '');
    return checked({ signed: 'convo', id: '', unix: unixOf(values('t')[0]), signatures: values('v1').map(fromHex) });
  }
  const [id, unix, standard] = [read('webhook-id'), read('webhook-timestamp'), read('webhook-signature')];
  if (id === undefined || unix === undefined || standard === undefined) {
    throw new WebhookVerificationError('missing_signature', 'The request has no X-Convo-Signature, and not all of webhook-id, webhook-timestamp and webhook-signature.');
  }
  const signatures = standard.split(/[ ,]+v1,|^v1,/).filter(Boolean).map(fromBase64);
  return checked({ signed: 'standard', id, unix: unixOf(unix), signatures });
}

function checked(found: Found): Found {
  if (Number.isNaN(found.unix) || found.signatures.length === 0) {
    throw new WebhookVerificationError('malformed_signature', 'The signature cannot be read: a time and a v1 signature were expected.');
  }
  return found;
}

function unixOf(value: string | undefined): number {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) : NaN;
}

/** What is no signature matches nothing. */
function fromHex(value: string): Uint8Array {
  return /^([0-9a-f]{2})+$/i.test(value) ? Uint8Array.from(value.match(/../g)!, (pair) => parseInt(pair, 16)) : new Uint8Array();
}

function fromBase64(value: string): Uint8Array {
  try {
    return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

function join(prefix: string, body: Uint8Array): Uint8Array {
  const start = text.encode(prefix);
  const all = new Uint8Array(start.length + body.length);
  all.set(start);
  all.set(body, start.length);
  return all;
}

function importKey(bytes: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes as BufferSource, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
}

function parse(body: Uint8Array): WebhookEvent {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as WebhookEvent;
  } catch {
    throw new WebhookVerificationError('not_json', 'The signature matches, and the body is no JSON.');
  }
}
