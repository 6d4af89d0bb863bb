// Lists, creates, misses and uploads something by openapi-fetch and the types of openapi-typescript.
import createClient from 'openapi-fetch';
import type { paths } from './schema.js';

const client = createClient<paths>({ baseUrl: process.env.CONVO_BASE_URL!, headers: { Authorization: `Bearer ${process.env.CONVO_TOKEN}` } });

function want<T>(value: T | undefined, response: Response): T {
  if (value === undefined) throw new Error(`${response.url} returned ${response.status}`);
  return value;
}

const listed = await client.GET('/leads', { params: { query: { status: 'NEW' } } });
const created = await client.POST('/leads', { body: { fields: { name: 'TypeScript' } } });
const missing = await client.GET('/leads/{id}', { params: { path: { id: crypto.randomUUID() } } });
const uploaded = await client.POST('/knowledge/upload', {
  params: { header: { 'X-Original-Name': 'typescript.md' } },
  headers: { 'Content-Type': 'text/markdown' },
  body: '# From TypeScript\n',
  bodySerializer: (body) => body as string,
});
if (missing.error?.code !== 'not_found') throw new Error('a 404 was expected');
console.log(`TypeScript, openapi-fetch: listed ${want(listed.data, listed.response).length}, created ${want(created.data, created.response).id}, ` +
  `404 ${missing.error.code}, uploaded ${want(uploaded.data, uploaded.response).fileName}`);
