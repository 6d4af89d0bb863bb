// The widget's part of the API (tag Widget of the OpenAPI document).

export type Author = { type: 'CONTACT' | 'AGENT' | 'OPERATOR'; name: string | null };
export type Attachment = { id: string; type: string; name: string | null; contentType: string | null; sizeBytes: number | null; state: string };
export type Citation = { index: number; sourceId: string; title: string; url: string | null; page: number | null; quote: string };
export type Message = {
  id: string;
  clientMessageId: string | null;
  role: 'USER' | 'ASSISTANT';
  content: string;
  author: Author;
  deliveryStatus: string;
  attachments: Attachment[];
  citations?: Citation[];
  createdAt: string;
  editedAt: string | null;
  redactedAt: string | null;
};
export type Conversation = { id: string; status: 'OPEN' | 'HANDED_OFF' | 'CLOSED'; operator?: { name: string } | null };
export type Channel = {
  id: string;
  title: string;
  greeting: string | null;
  color: string | null;
  locale: string | null;
  aiNotice: string | null;
  consentText: string | null;
};
export type Session = { token: string; expiresAt: string; visitorId: string; channel: Channel; conversation: Conversation | null };

/** A response that is no success. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly retryAfter: number,
  ) {
    super(`${status} ${code}`);
  }

  /** Whether the same request can succeed later. */
  get passes(): boolean {
    return this.status === 0 || this.status === 401 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

const base = '/api/v1/widget';
const timeout = 20_000; // milliseconds

/** Sends requests with a session, which it renews. */
export class Client {
  session: Session | undefined;
  private renewing: Promise<Session> | undefined;

  constructor(
    private readonly channel: string,
    private readonly identity: string | undefined,
    private readonly visitor: { get(): string | undefined; set(id: string): void },
  ) {}

  /** Begins a session, or renews it. */
  renew(): Promise<Session> {
    this.renewing ??= this.begin().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async begin(): Promise<Session> {
    const visitorId = this.visitor.get();
    const body = { channelId: this.channel, ...(visitorId ? { visitorId } : {}), ...(this.identity ? { identity: this.identity } : {}) };
    const response = await request('/sessions', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    this.session = (await response.json()) as Session;
    this.visitor.set(this.session.visitorId);
    return this.session;
  }

  /** Sends a request with the session, once more with a new one after a 401. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const session = this.session ?? (await this.renew());
    try {
      return await request(path, withToken(init, session.token));
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 401) throw error;
      return request(path, withToken(init, (await this.renew()).token));
    }
  }

  async post(path: string, body: unknown): Promise<Response> {
    return this.send(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  }
}

function withToken(init: RequestInit, token: string): RequestInit {
  return { ...init, headers: { ...(init.headers as Record<string, string>), Authorization: `Bearer ${token}` } };
}

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(base + path, { credentials: 'omit', ...init, signal: init.signal ?? AbortSignal.timeout(timeout) });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failure(0, 'offline', 0);
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { code?: string };
  throw new Failure(response.status, problem.code ?? 'unknown', Number(response.headers.get('Retry-After') ?? 0));
}
