import { Call } from './call.js';
import { AveltoError } from './errors.js';
import { type Body, type Item, Resource, type Result } from './resource.js';
import type { Event } from './schema.gen.js';
import type { RequestOptions } from './transport.js';

/** An event. `type` determines the type of `data`. */
export type WebhookEvent = Event;
/** An event type. */
export type WebhookEventType = WebhookEvent['type'];
/** Request headers in the form of any server framework. */
export type IncomingHeaders = Headers | Record<string, string | readonly string[] | undefined>;

/** Why verification failed. */
export type VerificationFault =
  | 'parsed_body' | 'secret_form' | 'missing_signature' | 'malformed_signature' | 'too_old' | 'too_new' | 'no_match' | 'not_json';

/** The request couldn't be verified. `fault` is the reason. */
export class WebhookVerificationError extends AveltoError {
  override readonly name = 'WebhookVerificationError';
  readonly fault: VerificationFault;

  constructor(fault: VerificationFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Options of the verification. */
export interface UnwrapOptions {
  /** Maximum difference between the signature's timestamp and the current time, in seconds. Defaults to 300. */
  tolerance?: number;
  /** Current time. Defaults to now. */
  now?: Date;
}

/** Options for signing a test payload. */
export interface SignOptions {
  id?: string;
  timestamp?: Date;
}

const fiveMinutes = 300;
const text = new TextEncoder();

/**
 * Verifies the signature of a webhook request and returns its event.
 *
 * Pass the raw body, not the parsed one. Both schemes are accepted: `X-Convo-Signature` and the headers of Standard
 * Webhooks. During secret rotation, pass an array of both secrets.
 */
export async function unwrap(
  rawBody: string | Uint8Array | ArrayBuffer, headers: IncomingHeaders, secret: string | readonly string[], options: UnwrapOptions = {},
): Promise<WebhookEvent> {
  const body = bytesOf(rawBody);
  const keys = (typeof secret === 'string' ? [secret] : secret).map(keyOf);
  const { id, unix, signatures, signed } = signaturesOf(headers);
  const age = (options.now ?? new Date()).getTime() / 1000 - unix;
  const tolerance = options.tolerance ?? fiveMinutes;
  if (age > tolerance) throw new WebhookVerificationError('too_old', `The request was signed ${Math.round(age)} seconds ago, more than the tolerance of ${tolerance}. It may be a replay, or a clock may be wrong.`);
  if (-age > tolerance) throw new WebhookVerificationError('too_new', `The request was signed ${Math.round(-age)} seconds in the future, more than the tolerance of ${tolerance}. A clock may be wrong.`);
  const content = join(signed === 'convo' ? `${unix}.` : `${id}.${unix}.`, body);
  for (const bytes of keys) {
    const key = await importKey(bytes);
    for (const signature of signatures) {
      // WebCrypto compares in constant time.
      if (await crypto.subtle.verify('HMAC', key, signature as BufferSource, content as BufferSource)) return parse(body);
    }
  }
  throw new WebhookVerificationError('no_match', 'No signature matches. Check that the secret belongs to this webhook and that the body is the raw bytes of the request.');
}

/** Signs a payload as the server does, with both schemes. Use it in the tests of a receiver. */
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
  /** Lists the webhooks of the workspace, without other integrations. */
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

  /** Subscribes a URL. The response contains the signing secret, which is shown only once. */
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
  throw new WebhookVerificationError('parsed_body', 'The body was parsed. Pass the raw body, as returned by express.raw() or request.text().');
}

/** The key bytes of a secret: all bytes of a `wh_` secret, or the decoded bytes of a `whsec_` secret. */
function keyOf(secret: string): Uint8Array {
  if (/^wh_[0-9a-f]{48}$/.test(secret)) return text.encode(secret);
  const inner = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  if (inner !== undefined) {
    try {
      return Uint8Array.from(atob(inner), (character) => character.charCodeAt(0));
    } catch {
      // Falls through to the error below.
    }
  }
  throw new WebhookVerificationError('secret_form', 'The secret is malformed. A signing secret is wh_ followed by 48 hexadecimal digits, or whsec_ followed by base64. It is not an API token.');
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
    throw new WebhookVerificationError('missing_signature', 'The request has neither X-Convo-Signature nor all of webhook-id, webhook-timestamp and webhook-signature.');
  }
  const signatures = standard.split(/[ ,]+v1,|^v1,/).filter(Boolean).map(fromBase64);
  return checked({ signed: 'standard', id, unix: unixOf(unix), signatures });
}

function checked(found: Found): Found {
  if (Number.isNaN(found.unix) || found.signatures.length === 0) {
    throw new WebhookVerificationError('malformed_signature', 'The signature is malformed. Expected a timestamp and a v1 signature.');
  }
  return found;
}

function unixOf(value: string | undefined): number {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) : NaN;
}

/** Decodes a signature. Malformed signatures match nothing. */
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
    throw new WebhookVerificationError('not_json', 'The signature matches, but the body is not JSON.');
  }
}
