import { APIAbortError, APIConnectionError, APITimeoutError, errorOf, retryAfter } from './errors.js';

/** Options of a client. */
export interface ClientOptions {
  /** An API token: `convo_` and 32 hexadecimal digits. Defaults to the environment variable `AVELTO_TOKEN`. */
  apiKey?: string;
  /** Base URL of the API, with or without `/api/v1`. Defaults to the environment variable `CONVO_BASE_URL`, then to the hosted service. */
  baseUrl?: string;
  /** Timeout of each attempt in milliseconds. Defaults to 30,000. */
  timeoutMs?: number;
  /** Retries once after a 429 response, after the time in `Retry-After`. Off by default. */
  retryOn429?: boolean;
  /** Replaces the runtime's `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** Headers to send with each request. */
  headers?: Record<string, string>;
}

/** Options of a single call. */
export interface RequestOptions {
  /** Aborts the call. */
  signal?: AbortSignal;
  /** Timeout of each attempt in milliseconds. */
  timeoutMs?: number;
  /** Idempotency key of a POST request that changes something. Generated for each call by default. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
}

/** A request from a resource. */
export interface Wanted {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: object | undefined;
  json?: unknown;
  body?: Blob;
  headers?: Record<string, string>;
  /** Set for POST requests that change nothing, which have no `Idempotency-Key`. */
  readOnly?: true;
}

export const hosted = 'https://api.avelto.pl/api/v1';

const basePath = '/api/v1';

/** Returns an environment variable, in runtimes that have them. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name];
}

/** Adds the base path to an address that lacks it. */
function baseOf(address: string): string {
  const base = address.replace(/\/+$/, '');
  return base.endsWith(basePath) ? base : base + basePath;
}

const defaultTimeout = 30_000; // ms
const retryDelay = 250; // ms
const maxRetryAfter = 60; // s

/** Sends requests with the token, a timeout and one retry. */
export class Transport {
  readonly #base: string;
  readonly #apiKey: string;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    const apiKey = options.apiKey ?? environment('AVELTO_TOKEN');
    if (!apiKey) throw new TypeError('apiKey is missing: pass it, or set AVELTO_TOKEN. Create a token at /app/settings/api-tokens');
    this.#apiKey = apiKey;
    this.#base = baseOf(options.baseUrl || environment('CONVO_BASE_URL') || hosted);
    this.#options = options;
  }

  /** Returns the response if its status is below 400. Otherwise throws one of this package's errors. */
  async send(wanted: Wanted, options: RequestOptions = {}): Promise<Response> {
    const init = this.#init(wanted, options);
    const url = this.#base + wanted.path + queryOf(wanted.query);
    for (let retry = true; ; retry = false) {
      const outcome = await this.#attempt(url, init, options);
      if (outcome instanceof Response && outcome.status < 400) return outcome;
      if (!retry || !this.#retryable(outcome)) throw outcome instanceof Response ? await errorOf(outcome) : outcome;
      const seconds = outcome instanceof Response ? retryAfter(outcome.headers) : undefined;
      if (outcome instanceof Response) await outcome.body?.cancel();
      await wait(seconds === undefined ? retryDelay * (0.5 + Math.random()) : Math.min(seconds, maxRetryAfter) * 1000, options.signal);
    }
  }

  #retryable(outcome: Response | Error): boolean {
    if (outcome instanceof Response) return outcome.status >= 500 || (outcome.status === 429 && this.#options.retryOn429 === true);
    return outcome instanceof APIConnectionError;
  }

  #init(wanted: Wanted, options: RequestOptions): RequestInit {
    const headers = new Headers({ Accept: 'application/json', ...this.#options.headers, ...wanted.headers, ...options.headers });
    headers.set('Authorization', `Bearer ${this.#apiKey}`);
    if (wanted.method === 'POST' && !wanted.readOnly && !headers.has('Idempotency-Key')) {
      // Shared by all attempts, so that a retry does not repeat the effect.
      headers.set('Idempotency-Key', options.idempotencyKey ?? crypto.randomUUID());
    }
    const init: RequestInit = { method: wanted.method, headers };
    if (wanted.json !== undefined) {
      headers.set('Content-Type', 'application/json');
      init.body = JSON.stringify(wanted.json);
    } else if (wanted.body) {
      init.body = wanted.body;
    }
    return init;
  }

  /** Sends one attempt. Connection errors and timeouts are returned; an abort by the caller is thrown. */
  async #attempt(url: string, init: RequestInit, options: RequestOptions): Promise<Response | Error> {
    const { signal } = options;
    if (signal?.aborted) throw new APIAbortError('The call was aborted.', { cause: signal.reason });
    const attempt = new AbortController();
    const end = () => attempt.abort(signal?.reason);
    signal?.addEventListener('abort', end, { once: true });
    let late = false;
    const limit = options.timeoutMs ?? this.#options.timeoutMs ?? defaultTimeout;
    const timer = setTimeout(() => {
      late = true;
      attempt.abort();
    }, limit);
    try {
      const response = await (this.#options.fetch ?? fetch)(url, { ...init, signal: attempt.signal });
      // The timeout includes reading the body: a connection can fail midway.
      const body = response.status === 204 || response.status === 304 ? null : await response.arrayBuffer();
      return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
    } catch (cause) {
      if (signal?.aborted) throw new APIAbortError('The call was aborted.', { cause });
      if (late) return new APITimeoutError(`No response within ${limit} ms.`, { cause });
      return new APIConnectionError('The connection failed.', { cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }
}

/** Joins arrays with commas, as the API expects, and omits undefined values. */
function queryOf(query: object | undefined): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null) pairs.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  return pairs.size > 0 ? `?${pairs}` : '';
}

/** Waits until the time has passed or the signal aborts. */
export function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(new APIAbortError('The call was aborted.', { cause: signal?.reason }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, milliseconds);
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end, { once: true });
  });
}
