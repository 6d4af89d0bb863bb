import { Call, ListCall, Page } from './call.js';
import type { operations } from './schema.gen.js';
import type { RequestOptions, Transport, Wanted } from './transport.js';

/** The operations of the document. */
export type Operation = keyof operations;
/** The query of an operation. */
export type Query<O extends Operation> = NonNullable<operations[O]['parameters']['query']>;
/** The JSON body of an operation. */
export type Body<O extends Operation> = operations[O] extends { requestBody?: { content: { 'application/json': infer B } } } ? B : never;
type Answer<R> = R extends { content: { 'application/json': infer J } } ? J : void;
type Success<R> = R[Extract<keyof R, 200 | 201 | 202 | 204>];
/** The result of an operation. */
export type Result<O extends Operation> = Answer<Success<operations[O]['responses']>>;
/** The items of a list. */
export type Item<O extends Operation> = Result<O> extends readonly (infer I)[] ? I : never;

type Headers<O extends Operation> = NonNullable<operations[O]['parameters']['header']>;
/** Whether the document defines an `Idempotency-Key` for an operation. */
type Keyed<O extends Operation> = [Headers<O>] extends [never] ? false : 'Idempotency-Key' extends keyof Headers<O> ? true : false;
/** A request of an operation. A POST request without an `Idempotency-Key` must be marked as read-only. */
type WantedOf<O extends Operation> = Wanted & (Keyed<O> extends true ? { readOnly?: never } : { readOnly: true } | { method: Exclude<Wanted['method'], 'POST'> });

/** Base class of all resources. */
export abstract class Resource {
  protected readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  protected one<O extends Operation>(wanted: WantedOf<O>, options?: RequestOptions): Call<Result<O>> {
    return new Call(this.#read<Result<O>>(wanted, options));
  }

  protected file(wanted: Wanted, options?: RequestOptions): Call<Blob> {
    const sent = this.transport.send({ ...wanted, headers: { Accept: '*/*', ...wanted.headers } }, options);
    return new Call(sent.then(async (response) => ({ data: await response.clone().blob(), response })));
  }

  protected many<O extends Operation>(path: string, query: object | undefined, options?: RequestOptions): ListCall<Item<O>> {
    const first = this.#read<Item<O>[]>({ method: 'GET', path, query }, options);
    return new ListCall(first.then(({ data, response }) => {
      const next = nextQuery(response.headers.get('Link'));
      return { data: Page.of_(data, next && (() => this.many<O>(path, next, options))), response };
    }));
  }

  async #read<T>(wanted: Wanted, options?: RequestOptions): Promise<{ data: T; response: Response }> {
    const response = await this.transport.send(wanted, options);
    const data = response.status === 204 ? undefined : await response.clone().json();
    return { data: data as T, response };
  }
}

/** The query of the next page, from `Link: <…>; rel="next"` (RFC 8288). */
function nextQuery(link: string | null): Record<string, string> | undefined {
  const found = link?.match(/<([^>]*)>\s*;\s*rel="?next"?/)?.[1];
  return found === undefined ? undefined : Object.fromEntries(new URL(found, 'http://base').searchParams);
}

/** Encodes an ID as a path segment. */
export function segment(id: string): string {
  if (!id) throw new TypeError('The ID is missing.');
  return encodeURIComponent(id);
}
