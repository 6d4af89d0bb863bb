// Tests of the SDK that run in Node.js, browsers and edge runtimes. They use only what all of them have.
import * as sdk from '@convo/sdk';
import { AveltoClient, type ClientOptions, unwrap, sign, WebhookVerificationError } from '@convo/sdk';
import vectors from '../../../internal/domain/webhook/signature/testdata/signatures.json';

/** A server with the demo data. */
export interface Place { baseUrl: string; apiKey: string }

type Check = (place: Place) => Promise<void>;

function equal(actual: unknown, wanted: unknown, what = 'value'): void {
  const [a, w] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (a !== w) throw new Error(`${what}: ${a}, not ${w}`);
}

function truthy(value: unknown, what: string): asserts value {
  if (!value) throw new Error(`failed: ${what}`);
}

async function fails<E extends Error>(kind: abstract new (...args: never[]) => E, promise: PromiseLike<unknown>): Promise<E> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw new Error(`expected ${kind.name}, got ${String(error)}`);
  }
  throw new Error(`expected ${kind.name}, but nothing failed`);
}

const problem = (status: number, more: object = {}) => new Response(JSON.stringify({
  type: 'about:blank', title: 'x', status, detail: 'd', instance: 'i', code: 'some_code', requestId: 'req_1', ...more,
}), { status, headers: { 'Content-Type': 'application/problem+json' } });

const ok = (body: unknown = [], headers: Record<string, string> = {}) => new Response(JSON.stringify(body), { status: 200, headers });

/** A client that gets the given responses in turn, the last one repeatedly, and the requests that it sent. */
function scripted(responses: (() => Response | Promise<Response>)[], options: Partial<ClientOptions> = {}) {
  const asked: { url: string; init: RequestInit; headers: Headers }[] = [];
  const client = new AveltoClient({
    apiKey: 'convo_00000000000000000000000000000000', baseUrl: 'https://api.test/api/v1/', ...options,
    fetch: async (url, init = {}) => {
      asked.push({ url: String(url), init, headers: new Headers(init.headers) });
      const respond = responses[Math.min(asked.length, responses.length) - 1]!;
      return respond();
    },
  });
  return { client, asked };
}

const broken = () => { throw new TypeError('connection refused'); };

export const checks: Record<string, Check> = {
  async 'the published example works'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const leads = await client.leads.list({ status: 'QUALIFIED' });
    truthy(leads.length > 0 && leads.every((lead) => lead.status === 'QUALIFIED'), 'only qualified leads');
    truthy(Array.isArray(leads), 'a page is an array');
    await client.webhooks.list();
  },

  async 'creates, reads, updates and deletes'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const lead = await client.leads.create({ fields: { name: 'Anna', email: 'anna@example.com' }, source: 'sdk' });
    equal(lead.status, 'NEW');
    equal((await client.leads.update(lead.id, { score: 7 })).score, 7);
    equal((await client.leads.updateStatus(lead.id, { status: 'WON' })).status, 'WON');
    equal((await client.leads.get(lead.id)).fields, lead.fields);
    equal(await client.leads.delete(lead.id), undefined);
    const gone = await fails(sdk.NotFoundError, client.leads.get(lead.id));
    equal([gone.status, gone.code], [404, 'not_found']);
    truthy(gone.requestId?.startsWith('req_'), 'an error has the request ID');
  },

  async 'a list iterates over all pages'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const first = await client.conversations.list({ limit: 5 });
    equal([first.length, first.hasNextPage], [5, true]);
    const seen = new Set<string>();
    for await (const conversation of client.conversations.list({ limit: 5 })) seen.add(conversation.id);
    truthy(seen.size > 30, 'more than one page');
    equal((await first.nextPage())!.length, 5);
    const { messages } = await client.conversations.get(first[0]!.id);
    const newest: string[] = [];
    for await (const message of client.conversations.messages.list(first[0]!.id, { limit: 2, order: 'desc' })) newest.push(message.id);
    equal(newest.reverse(), messages.map((one) => one.id));
    truthy(!(first.map((one) => one.id) instanceof sdk.Page), 'map returns a plain array');
    const { data, response } = await client.channels.list().withResponse();
    equal([data.length, data.hasNextPage, data.nextPage()], [10, false, undefined]);
    truthy(response.headers.get('RateLimit'), 'headers of the response');
  },

  async 'filters are encoded as the API expects'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const [tag] = await client.tags.list();
    const tagged = await client.conversations.list({ tagIds: [tag!.id], status: 'OPEN' });
    truthy(tagged.every((one) => one.status === 'OPEN'), 'only open ones');
    const { client: fake, asked } = scripted([() => ok()]);
    await fake.conversations.list({ tagIds: ['a', 'b'] });
    equal(asked[0]!.url, 'https://api.test/api/v1/conversations?tagIds=a%2Cb');
  },

  async 'each error status has its own class'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const bad = await fails(sdk.BadRequestError, client.leads.create({ fields: {} }));
    truthy(bad.code === 'validation_failed' && bad.errors.length > 0, 'every validation error');
    await fails(sdk.UnauthorizedError, new AveltoClient({ apiKey: 'convo_00000000000000000000000000000000', baseUrl }).leads.list());
    const tag = { name: `tag ${crypto.randomUUID()}` };
    const created = await client.tags.create(tag);
    equal(await client.tags.get(created.id), created);
    equal((await fails(sdk.ConflictError, client.tags.create(tag))).code, 'tag_exists');
    const kinds = [[400, sdk.BadRequestError], [401, sdk.UnauthorizedError], [403, sdk.ForbiddenError], [404, sdk.NotFoundError], [409, sdk.ConflictError],
      [413, sdk.PayloadTooLargeError], [415, sdk.UnsupportedMediaTypeError], [422, sdk.UnprocessableError], [429, sdk.RateLimitedError], [418, sdk.APIError]] as const;
    for (const [status, kind] of kinds) {
      const { client: fake, asked } = scripted([() => problem(status, { missingScope: 'leads:read', errors: [{ location: 'body', message: 'm' }] })]);
      const error = await fails(kind, fake.leads.list());
      equal([error.status, error.code, error.requestId, error.missingScope, error.errors.length], [status, 'some_code', 'req_1', 'leads:read', 1]);
      truthy(error instanceof sdk.APIError && error instanceof sdk.AveltoError, 'they share a base class');
      equal(asked.length, 1, 'a 4xx is not retried');
    }
  },

  async 'a 5xx is retried exactly once'() {
    const recovering = scripted([() => problem(503), () => ok([{ id: 'x' }])]);
    equal((await recovering.client.leads.list()).length, 1);
    equal(recovering.asked.length, 2);
    for (const status of [500, 502, 503, 504]) {
      const failing = scripted([() => problem(status)]);
      equal((await fails(sdk.ServerError, failing.client.leads.get('x'))).status, status);
      equal(failing.asked.length, 2);
    }
    const proxy = scripted([() => new Response('<h1>Bad gateway</h1>', { status: 502 })]);
    equal((await fails(sdk.ServerError, proxy.client.leads.get('x'))).code, undefined);
  },

  async 'a failed connection is retried exactly once, with the same key'() {
    const { client, asked } = scripted([broken, () => ok({ id: 'x' })]);
    await client.leads.create({ fields: { name: 'Anna' } });
    const keys = asked.map(({ headers }) => headers.get('Idempotency-Key'));
    truthy(keys.length === 2 && keys[0] && keys[0] === keys[1], 'both attempts have one key');
    await client.leads.create({ fields: { name: 'Anna' } });
    truthy(asked[2]!.headers.get('Idempotency-Key') !== keys[0], 'another call has another key');
    await client.leads.create({ fields: { name: 'Anna' } }, { idempotencyKey: 'mine' });
    equal(asked[3]!.headers.get('Idempotency-Key'), 'mine');
    await client.leads.get('x');
    equal(asked[4]!.headers.get('Idempotency-Key'), null);
    await client.knowledge.search({ query: 'x' });
    equal(asked[5]!.headers.get('Idempotency-Key'), null, 'a search changes nothing');
    const failing = scripted([broken]);
    await fails(sdk.APIConnectionError, failing.client.leads.list());
    equal(failing.asked.length, 2);
  },

  async 'a POST that is sent twice takes effect once'({ baseUrl, apiKey }) {
    let lost = true;
    const client = new AveltoClient({ apiKey, baseUrl, fetch: async (...args) => {
      const response = await fetch(...args);
      if (lost) {
        lost = false;
        await response.arrayBuffer();
        throw new TypeError('the response was lost');
      }
      return response;
    } });
    const source = `sdk ${crypto.randomUUID()}`;
    const { response } = await client.leads.create({ fields: { name: 'Once' }, source }).withResponse();
    equal(response.headers.get('Idempotent-Replayed'), 'true');
    let stored = 0;
    for await (const lead of client.leads.list({ limit: 200 })) if (lead.source === source) stored++;
    equal(stored, 1);
  },

  async 'a 429 is retried only if enabled'() {
    const limited = () => new Response('{}', { status: 429, headers: { 'Retry-After': '1' } });
    const plain = scripted([limited]);
    equal((await fails(sdk.RateLimitedError, plain.client.leads.list())).retryAfter, 1);
    equal(plain.asked.length, 1);
    const asking = scripted([limited, () => ok()], { retryOn429: true });
    const begun = Date.now();
    await asking.client.leads.list();
    equal(asking.asked.length, 2);
    truthy(Date.now() - begun >= 900, 'it waits as long as Retry-After says');
    const failing = scripted([limited], { retryOn429: true });
    await fails(sdk.RateLimitedError, failing.client.leads.list());
    equal(failing.asked.length, 2);
  },

  async 'each attempt has a timeout, and a signal aborts the call'() {
    const hangs = (init: RequestInit) => new Promise<Response>((_, reject) => {
      init.signal!.addEventListener('abort', () => reject(init.signal!.reason ?? new Error('aborted')));
    });
    let asked = 0;
    const client = new AveltoClient({ apiKey: 'convo_x', timeoutMs: 50, fetch: (_, init = {}) => { asked++; return hangs(init); } });
    await fails(sdk.APITimeoutError, client.leads.list());
    equal(asked, 2, 'a timeout is retried like a failed connection');
    asked = 0;
    const aborting = new AbortController();
    const call = client.leads.list({}, { signal: aborting.signal, timeoutMs: 60_000 });
    setTimeout(() => aborting.abort(new Error('enough')), 30);
    const aborted = await fails(sdk.APIAbortError, call);
    truthy(aborted.cause, 'the reason of the abort');
    equal(asked, 1);
    await fails(sdk.APIAbortError, client.leads.get('x', { signal: AbortSignal.abort() }));
    equal(asked, 1, 'nothing is sent after an abort');
  },

  async 'uploads accept each kind of file'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const mark = crypto.randomUUID();
    const bytes = (n: number) => new TextEncoder().encode(`# File ${n}\n\nThe word ${mark} ${n} is in it.\n`);
    const stream = new ReadableStream<Uint8Array>({ start(controller) { controller.enqueue(bytes(3)); controller.close(); } });
    async function* chunks() { yield bytes(4); }
    const jobs = [
      await client.knowledge.upload(new Blob([bytes(1)], { type: 'text/markdown' }), { name: 'blob.md' }),
      await client.knowledge.upload(bytes(2), { name: 'zażółć 100%.md' }),
      await client.knowledge.upload(stream, { name: 'stream.txt' }),
      await client.knowledge.upload(chunks(), { name: 'chunks', contentType: 'text/plain' }),
      await client.knowledge.upload(new File([bytes(5)], 'file.md', { type: 'text/markdown' })),
    ];
    equal(jobs.map((job) => job.fileName), ['blob.md', 'zażółć 100%.md', 'stream.txt', 'chunks', 'file.md']);
    let reports = 0;
    for (const { id } of jobs) equal((await client.knowledge.waitForJob(id, { timeoutMs: 60_000, onProgress: () => reports++ })).status, 'COMPLETED');
    truthy(reports >= jobs.length, 'progress is reported');
    truthy((await client.knowledge.search({ query: mark, limit: 10 })).length >= 5, 'the uploaded files are found');
    await fails(sdk.APIAbortError, client.knowledge.waitForJob(jobs[0]!.id, { signal: AbortSignal.abort() }));
    const endless = new ReadableStream<Uint8Array>({ pull(controller) { controller.enqueue(new Uint8Array(1 << 20)); } });
    await fails(RangeError, client.knowledge.upload(endless, { name: 'endless.txt' }));
    await fails(TypeError, (async () => client.knowledge.upload(bytes(6)))());
  },

  async 'a failed job throws'() {
    const job = { id: 'x', status: 'FAILED', error: { code: 'unreadable', message: 'no text in it' } };
    equal((await fails(sdk.JobError, scripted([() => ok(job)]).client.knowledge.waitForJob('x'))).job, job);
    const pending = scripted([() => ok({ id: 'x', status: 'PENDING', error: null })]);
    await fails(sdk.JobTimeoutError, pending.client.knowledge.waitForJob('x', { timeoutMs: 1 }));
  },

  async 'webhooks are created, listed and deleted'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const made = await client.webhooks.create({ url: 'https://hooks.example.com/sdk', events: ['lead.created'] });
    truthy(made.signingSecret.startsWith('wh_'), 'the secret is returned');
    const listed = await client.webhooks.list();
    truthy(listed.some(({ id }) => id === made.id) && listed.every(({ type }) => type === 'WEBHOOK'), 'only webhooks');
    truthy((await client.integrations.list()).length > listed.length, 'there are other integrations');
    equal((await client.integrations.update(made.id, { status: 'DISABLED' })).status, 'DISABLED');
    truthy((await client.integrations.rotateSecret(made.id)).signingSecret !== made.signingSecret, 'a new secret');
    equal((await client.integrations.listDeliveries(made.id)).length, 0);
    await client.integrations.delete(made.id);
  },

  async 'channels, operators, contacts and conversations are changed'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const [agent] = await client.agents.list();
    const channel = await client.channels.create({ type: 'WEBSITE', name: 'SDK', agentId: agent!.id, config: { title: 'Shop' } });
    equal(channel.status, 'CONNECTED');
    equal((await client.channels.update(channel.id, { name: 'SDK 2' })).name, 'SDK 2');
    equal((await client.channels.check(channel.id)).id, channel.id);
    equal((await fails(sdk.UnprocessableError, client.channels.authorize(channel.id))).code, 'authorization_unavailable');
    equal((await fails(sdk.UnprocessableError, client.channels.listTemplates(channel.id))).code, 'templates_unavailable');
    await client.channels.delete(channel.id);
    equal((await fails(sdk.NotFoundError, client.channels.get(channel.id))).status, 404);
    const operator = await client.operators.create({ name: 'Ola' });
    equal((await client.operators.update(operator.id, { name: 'Aleksandra' })).name, 'Aleksandra');
    equal((await client.operators.get(operator.id)).name, 'Aleksandra');
    const [conversation] = await client.conversations.list({ status: 'OPEN', limit: 1 });
    const { id } = conversation!;
    equal((await client.conversations.handOff(id, { operatorId: operator.id, reason: 'Asked for a person.' })).status, 'HANDED_OFF');
    const template = { name: 'order_update', language: 'en', parameters: ['Anna', '1042'] };
    equal((await fails(sdk.UnprocessableError, client.conversations.sendTemplateMessage(id, template))).code, 'templates_unavailable');
    equal((await client.conversations.release(id)).status, 'OPEN');
    equal((await client.conversations.close(id)).status, 'CLOSED');
    equal((await client.conversations.reopen(id)).status, 'OPEN');
    const detail = await client.conversations.get(id);
    equal((await client.conversations.messages.get(id, detail.messages[0]!.id)).content, detail.messages[0]!.content);
    const contact = await client.contacts.update(detail.contact.id, { name: 'Renamed' });
    equal((await client.contacts.get(contact.id)).name, 'Renamed');
    const exported = await client.contacts.export(contact.id);
    truthy(exported.conversations.some((one) => one.id === id), 'the export contains the conversation');
    truthy((await client.contacts.list({ q: 'renamed' })).length > 0, 'contacts are found by name');
  },

  async 'attachments are downloaded as files'() {
    const { client, asked } = scripted([() => new Response('shoes', { headers: { 'Content-Type': 'application/octet-stream' } })]);
    const { data, response } = await client.attachments.get('a').withResponse();
    equal([await data.text(), response.status], ['shoes', 200]);
    equal(asked[0]!.headers.get('Accept'), '*/*');
  },

  async 'events are polled'({ baseUrl, apiKey }) {
    const client = new AveltoClient({ apiKey, baseUrl });
    const { response } = await client.events.list({ limit: 1 }).withResponse();
    const after = Number(response.headers.get('X-Latest-Sequence'));
    const made = [];
    for (let i = 0; i < 5; i++) made.push((await client.leads.create({ fields: { name: `Event ${i}` } })).id);
    let seen: string[] = [];
    // Events get their number shortly after the change.
    for (const end = Date.now() + 10_000; Date.now() < end && !made.every((id) => seen.includes(id)); ) {
      seen = [];
      for await (const event of client.events.list({ after, limit: 2 })) if (event.type === 'lead.created') seen.push(event.data.lead.id);
    }
    truthy(made.every((id) => seen.includes(id)), 'every event, over pages');
  },

  async 'signatures match those of the server'() {
    for (const vector of vectors) {
      const now = new Date(vector.timestamp * 1000);
      const own = { 'X-Convo-Signature': vector.convo };
      const standard = { 'webhook-id': vector.id, 'webhook-timestamp': String(vector.timestamp), 'webhook-signature': vector.standard };
      for (const secret of vector.secrets) {
        for (const headers of [own, standard, new Headers(own), new Headers(standard)]) {
          for (const body of [vector.body, new TextEncoder().encode(vector.body), new TextEncoder().encode(vector.body).buffer as ArrayBuffer]) {
            equal(await unwrap(body, headers, secret, { now }), JSON.parse(vector.body), vector.name);
          }
        }
        const inner = btoa(secret);
        await unwrap(vector.body, standard, `whsec_${inner}`, { now });
      }
      const [secret] = vector.secrets;
      if (vector.secrets.length === 1) {
        const signed = await sign(vector.body, secret!, { id: vector.id, timestamp: now });
        equal([signed.headers['x-convo-signature'], signed.headers['webhook-signature']], [vector.convo, vector.standard], vector.name);
      }
    }
  },

  async 'verification errors name the fault'() {
    const secret = 'wh_0123456789abcdef0123456789abcdef0123456789abcdef';
    const { body, headers } = await sign({ id: 'evt', type: 'webhook.ping' }, secret);
    equal((await unwrap(body, headers, ['wh_fedcba9876543210fedcba9876543210fedcba9876543210', secret])).type, 'webhook.ping');
    const fault = async (...args: Parameters<typeof unwrap>) => (await fails(WebhookVerificationError, unwrap(...args))).fault;
    equal(await fault(JSON.parse(body), headers, secret), 'parsed_body');
    for (const wrong of ['', 'secret', 'convo_0123456789abcdef0123456789abcdef', 'wh_short', 'whsec_%%%']) equal(await fault(body, headers, wrong), 'secret_form');
    equal(await fault(body, {}, secret), 'missing_signature');
    equal(await fault(body, { 'x-convo-signature': 'v1=00' }, secret), 'malformed_signature');
    equal(await fault(body, { 'x-convo-signature': 't=soon,v1=00' }, secret), 'malformed_signature');
    equal(await fault(body, { 'x-convo-signature': `t=${Math.floor(Date.now() / 1000)}` }, secret), 'malformed_signature');
    equal(await fault(`${body} `, headers, secret), 'no_match');
    equal(await fault(body, headers, 'wh_fedcba9876543210fedcba9876543210fedcba9876543210'), 'no_match');
    const ago = async (seconds: number) => (await sign(body, secret, { timestamp: new Date(Date.now() - seconds * 1000) })).headers;
    equal(await fault(body, await ago(400), secret), 'too_old');
    equal(await fault(body, await ago(-400), secret), 'too_new');
    await unwrap(body, await ago(400), secret, { tolerance: 500 });
    const text = await sign('no json', secret);
    equal(await fault(text.body, text.headers, secret), 'not_json');
  },

  async 'the base URL may lack the base path'() {
    for (const baseUrl of ['https://api.test', 'https://api.test/', 'https://api.test/api/v1', 'https://api.test/api/v1//']) {
      const { client, asked } = scripted([() => ok()], { baseUrl });
      await client.leads.list();
      equal(asked.map(({ url }) => url), ['https://api.test/api/v1/leads']);
    }
  },

  async 'the environment names the server and the token'({ baseUrl, apiKey }) {
    const runtime = globalThis as { process?: { env?: Record<string, string | undefined> } };
    const before = runtime.process;
    try {
      runtime.process = { env: { CONVO_BASE_URL: baseUrl, AVELTO_TOKEN: apiKey } };
      await new AveltoClient().leads.list({ limit: 1 });
      runtime.process = { env: {} };
      await fails(TypeError, (async () => new AveltoClient())());
    } finally {
      if (before) runtime.process = before;
      else delete runtime.process;
    }
  },

  async 'invalid arguments are rejected before a request is sent'() {
    await fails(TypeError, (async () => new AveltoClient({ apiKey: '' }))());
    const { client, asked } = scripted([() => ok()]);
    await fails(TypeError, (async () => client.leads.get(''))());
    await client.leads.get('../agents');
    equal(asked.map(({ url }) => url), ['https://api.test/api/v1/leads/..%2Fagents'], 'an ID is one path segment');
  },
};

/** Runs every check and returns the results. */
export async function runAll(place: Place): Promise<{ name: string; error?: string }[]> {
  const results: { name: string; error?: string }[] = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(place);
      results.push({ name });
    } catch (error) {
      results.push({ name, error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) });
    }
  }
  return results;
}
