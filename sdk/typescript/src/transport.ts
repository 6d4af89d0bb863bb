import { APIAbortError, APIConnectionError, APITimeoutError, errorOf, retryAfter } from './errors.js';

/** How a client is set up. */
export interface ClientOptions {
  /** An API token: `convo_` and 32 hexadecimal digits. */
  apiKey: string;
  /** Where the API is; the hosted service's where it is left out. */
  baseUrl?: string;
  /** Longest that each attempt may take, in milliseconds; 30,000 where it is left out. */
  timeoutMs?: number;
  /** Waits as long as `Retry-After` says and tries once more after a 429; it is not done unless asked for. */
  retryOn429?: boolean;
  /** Used in place of the runtime's own. */
  fetch?: typeof globalThis.fetch;
  /** Sent with each request. */
  headers?: Record<string, string>;
}

/** What a single call may do otherwise. */
export interface RequestOptions {
  /** Ends the call, wherever it is. */
  signal?: AbortSignal;
  /** Longest that each attempt may take, in milliseconds. */
  timeoutMs?: number;
  /** Does a POST once however often it is sent; made anew for each call where it is left out. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
}

/** A request as the resources describe it. */
export interface Wanted {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: object | undefined;
  json?: unknown;
  body?: Blob;
  headers?: Record<string, string>;
}

export const hosted = 'https://api.avelto.pl/api/v1';

const patience = 30_000;
const pause = 250;
const longestPause = 60;

/** Sends requests: with a token, a time limit, and one more try where that may help. */
export class Transport {
  readonly #base: string;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    if (!options.apiKey) throw new TypeError('apiKey is missing: make a token at /app/settings/api-tokens');
    this.#base = (options.baseUrl ?? hosted).replace(/\/+$/, '');
    this.#options = options;
  }

  /** Returns a whole answer below 400, or fails with one of this package's errors. */
  async send(wanted: Wanted, options: RequestOptions = {}): Promise<Response> {
    const init = this.#init(wanted, options);
    const url = this.#base + wanted.path + queryOf(wanted.query);
    for (let again = true; ; again = false) {
      const outcome = await this.#attempt(url, init, options);
      if (outcome instanceof Response && outcome.status < 400) return outcome;
      if (!again || !this.#worthAnother(outcome)) throw outcome instanceof Response ? await errorOf(outcome) : outcome;
      const seconds = outcome instanceof Response ? retryAfter(outcome.headers) : undefined;
      if (outcome instanceof Response) await outcome.body?.cancel();
      await wait(seconds === undefined ? pause * (0.5 + Math.random()) : Math.min(seconds, longestPause) * 1000, options.signal);
    }
  }

  #worthAnother(outcome: Response | Error): boolean {
    if (outcome instanceof Response) return outcome.status >= 500 || (outcome.status === 429 && this.#options.retryOn429 === true);
    return outcome instanceof APIConnectionError;
  }

  #init(wanted: Wanted, options: RequestOptions): RequestInit {
    const headers = new Headers({ Accept: 'application/json', ...this.#options.headers, ...wanted.headers, ...options.headers });
    headers.set('Authorization', `Bearer ${this.#options.apiKey}`);
    if (wanted.method === 'POST' && !headers.has('Idempotency-Key')) {
      // One for the call: a second try must not do it twice.
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

  /** Tries once. What keeps an answer from coming is returned, what the caller did is thrown. */
  async #attempt(url: string, init: RequestInit, options: RequestOptions): Promise<Response | Error> {
    const { signal } = options;
    if (signal?.aborted) throw new APIAbortError('The call was ended.', { cause: signal.reason });
    const attempt = new AbortController();
    const end = () => attempt.abort(signal?.reason);
    signal?.addEventListener('abort', end, { once: true });
    let late = false;
    const limit = options.timeoutMs ?? this.#options.timeoutMs ?? patience;
    const timer = setTimeout(() => {
      late = true;
      attempt.abort();
    }, limit);
    try {
      const answer = await (this.#options.fetch ?? fetch)(url, { ...init, signal: attempt.signal });
      // Read to its end within the time: a connection can also fail half-way.
      const body = answer.status === 204 || answer.status === 304 ? null : await answer.arrayBuffer();
      return new Response(body, { status: answer.status, statusText: answer.statusText, headers: answer.headers });
    } catch (cause) {
      if (signal?.aborted) throw new APIAbortError('The call was ended.', { cause });
      if (late) return new APITimeoutError(`No answer within ${limit} ms.`, { cause });
      return new APIConnectionError('The connection failed.', { cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }
}

/** Lists are joined by commas, as the API has them; what is undefined is left out. */
function queryOf(query: object | undefined): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null) pairs.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  return pairs.size > 0 ? `?${pairs}` : '';
}

/** Waits, unless the signal ends it. */
export function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(new APIAbortError('The call was ended.', { cause: signal?.reason }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, milliseconds);
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end, { once: true });
  });
}
