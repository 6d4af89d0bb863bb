import type { FieldError, Problem } from './schema.gen.js';

/** Base class of all errors of this package. */
export class AveltoError extends Error {
  override readonly name: string = 'AveltoError';
}

/** The connection failed, including the retry. */
export class APIConnectionError extends AveltoError {
  override readonly name: string = 'APIConnectionError';
}

/** The request timed out, including the retry. */
export class APITimeoutError extends APIConnectionError {
  override readonly name: string = 'APITimeoutError';
}

/** The call was aborted by the caller's signal. */
export class APIAbortError extends AveltoError {
  override readonly name: string = 'APIAbortError';
}

/** The API returned an error (RFC 9457). */
export class APIError extends AveltoError {
  override readonly name: string = 'APIError';
  /** HTTP status. */
  readonly status: number;
  /** Stable error code. Handle unknown codes by `status`. */
  readonly code: string | undefined;
  /** ID of the request. Include it when you report a problem. */
  readonly requestId: string | undefined;
  /** The scope that the token lacks. */
  readonly missingScope: string | undefined;
  /** Seconds to wait before retrying. */
  readonly retryAfter: number | undefined;
  /** All validation errors of the request. */
  readonly errors: readonly FieldError[];
  readonly headers: Headers;
  /** The problem document, if the response has one. */
  readonly problem: Problem | undefined;

  constructor(status: number, headers: Headers, problem: Problem | undefined) {
    super(problem ? `${status} ${problem.code}: ${problem.detail}` : `${status}: the response is not a problem document`);
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

/** 400: the request is invalid. `errors` lists the validation errors. */
export class BadRequestError extends APIError { override readonly name = 'BadRequestError'; }
/** 401: the token is missing, malformed, unknown, revoked or expired. */
export class UnauthorizedError extends APIError { override readonly name = 'UnauthorizedError'; }
/** 403: the token lacks `missingScope`. */
export class ForbiddenError extends APIError { override readonly name = 'ForbiddenError'; }
/** 404: the resource doesn't exist in the token's workspace. */
export class NotFoundError extends APIError { override readonly name = 'NotFoundError'; }
/** 409: the request conflicts with the state of the resource. */
export class ConflictError extends APIError { override readonly name = 'ConflictError'; }
/** 413: the body exceeds the limit of the operation. */
export class PayloadTooLargeError extends APIError { override readonly name = 'PayloadTooLargeError'; }
/** 415: the operation doesn't accept this media type. */
export class UnsupportedMediaTypeError extends APIError { override readonly name = 'UnsupportedMediaTypeError'; }
/** 422: the request is well formed but can't be processed. */
export class UnprocessableError extends APIError { override readonly name = 'UnprocessableError'; }
/** 429: the rate limit is exceeded. Retry after `retryAfter` seconds. */
export class RateLimitedError extends APIError { override readonly name = 'RateLimitedError'; }
/** 5xx: a server error, including the retry. */
export class ServerError extends APIError { override readonly name = 'ServerError'; }

const classes: Record<number, typeof APIError> = {
  400: BadRequestError, 401: UnauthorizedError, 403: ForbiddenError, 404: NotFoundError, 409: ConflictError,
  413: PayloadTooLargeError, 415: UnsupportedMediaTypeError, 422: UnprocessableError, 429: RateLimitedError,
};

/** Creates the error for a response, in the class of its status. */
export async function errorOf(response: Response): Promise<APIError> {
  let problem: Problem | undefined;
  try {
    const body: unknown = JSON.parse(await response.text());
    if (typeof body === 'object' && body !== null && 'code' in body) problem = body as Problem;
  } catch {
    // The response may come from a proxy.
  }
  const kind = classes[response.status] ?? (response.status >= 500 ? ServerError : APIError);
  return new kind(response.status, response.headers, problem);
}

/** Parses Retry-After (RFC 9110, section 10.2.3), a number or a date, into seconds. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
