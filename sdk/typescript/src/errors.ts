import type { FieldError, Problem } from './schema.gen.js';

/** The beginning of every error of this package. */
export class AveltoError extends Error {
  override readonly name: string = 'AveltoError';
}

/** There was no answer: the connection failed, also when it was tried again. */
export class APIConnectionError extends AveltoError {
  override readonly name: string = 'APIConnectionError';
}

/** There was no answer in time, also when it was tried again. */
export class APITimeoutError extends APIConnectionError {
  override readonly name: string = 'APITimeoutError';
}

/** The caller's signal has ended the call. */
export class APIAbortError extends AveltoError {
  override readonly name: string = 'APIAbortError';
}

/** The API has answered with an error (RFC 9457). */
export class APIError extends AveltoError {
  override readonly name: string = 'APIError';
  /** HTTP status. */
  readonly status: number;
  /** Stable reason; an unknown one is to be treated by its status. */
  readonly code: string | undefined;
  /** Names the request when you report it. */
  readonly requestId: string | undefined;
  /** The scope that the token lacks. */
  readonly missingScope: string | undefined;
  /** Seconds to wait before another try. */
  readonly retryAfter: number | undefined;
  /** Every rule that the request breaks. */
  readonly errors: readonly FieldError[];
  readonly headers: Headers;
  /** The whole problem document, where there was one. */
  readonly problem: Problem | undefined;

  constructor(status: number, headers: Headers, problem: Problem | undefined) {
    super(problem ? `${status} ${problem.code}: ${problem.detail}` : `${status}: the answer is no problem document`);
    this.status = status;
    this.headers = headers;
    this.problem = problem;
    this.code = problem?.code;
    this.requestId = problem?.requestId ?? headers.get('X-Request-Id') ?? undefined;
    this.missingScope = problem?.missingScope;
    this.retryAfter = retryAfter(headers);
    this.errors = problem?.errors ?? [];
  }
}

/** 400: the request breaks a rule; `errors` lists which. */
export class BadRequestError extends APIError { override readonly name = 'BadRequestError'; }
/** 401: the token is missing, malformed, unknown, revoked or expired. */
export class UnauthorizedError extends APIError { override readonly name = 'UnauthorizedError'; }
/** 403: the token lacks `missingScope`. */
export class ForbiddenError extends APIError { override readonly name = 'ForbiddenError'; }
/** 404: nothing of this id is in the token's workspace. */
export class NotFoundError extends APIError { override readonly name = 'NotFoundError'; }
/** 409: what is there does not allow it. */
export class ConflictError extends APIError { override readonly name = 'ConflictError'; }
/** 413: the body is larger than the operation takes. */
export class PayloadTooLargeError extends APIError { override readonly name = 'PayloadTooLargeError'; }
/** 415: the operation does not take such a body. */
export class UnsupportedMediaTypeError extends APIError { override readonly name = 'UnsupportedMediaTypeError'; }
/** 422: the request is well formed and cannot be done. */
export class UnprocessableError extends APIError { override readonly name = 'UnprocessableError'; }
/** 429: the limit is used up; wait `retryAfter` seconds. */
export class RateLimitedError extends APIError { override readonly name = 'RateLimitedError'; }
/** 5xx: a fault of the server, also when it was tried again. */
export class ServerError extends APIError { override readonly name = 'ServerError'; }

const classes: Record<number, typeof APIError> = {
  400: BadRequestError, 401: UnauthorizedError, 403: ForbiddenError, 404: NotFoundError, 409: ConflictError,
  413: PayloadTooLargeError, 415: UnsupportedMediaTypeError, 422: UnprocessableError, 429: RateLimitedError,
};

/** Makes the error of an answer, of the class of its status. */
export async function errorOf(response: Response): Promise<APIError> {
  let problem: Problem | undefined;
  try {
    const body: unknown = JSON.parse(await response.text());
    if (typeof body === 'object' && body !== null && 'code' in body) problem = body as Problem;
  } catch {
    // A proxy between has answered with something else.
  }
  const kind = classes[response.status] ?? (response.status >= 500 ? ServerError : APIError);
  return new kind(response.status, response.headers, problem);
}

/** Reads Retry-After (RFC 9110, section 10.2.3) in seconds, whether it is a number or a date. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
