// The second reference: leads served by Fastify and pg as their guides advise, with schema
// validation, response serialization, named prepared statements and a token cache. The
// statements are the floor's.
import { createHash, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import Fastify from "fastify";
import pg from "pg";

const TOKEN_TTL_MS = 1000;
const COMPRESS_FROM = 1024; // bytes
const columns = "id, status, fields, score, source, conversation_id, crm_external_id, created_at, updated_at";
const greatestID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
const app = Fastify({ logger: false });

const fields = {
  type: "object",
  minProperties: 1,
  maxProperties: 50,
  properties: {
    name: { type: "string", maxLength: 2000 },
    email: { type: "string", format: "email", maxLength: 254 },
    phone: { type: "string", pattern: "^\\+?[0-9(][0-9 ()./-]{3,30}[0-9]( ?(x|ext\\.?) ?[0-9]{1,6})?$", maxLength: 60 },
  },
  additionalProperties: { type: "string", maxLength: 10000 },
};
const nullable = { type: ["string", "null"] };
const lead = {
  type: "object",
  required: ["id", "status", "fields", "score", "source", "conversationId", "crmExternalId", "createdAt", "updatedAt"],
  properties: {
    id: { type: "string" },
    status: { type: "string" },
    fields: { type: "object", additionalProperties: { type: "string" } },
    score: { type: ["integer", "null"] },
    source: nullable,
    conversationId: nullable,
    crmExternalId: nullable,
    createdAt: { type: "string", format: "date-time" },
    updatedAt: { type: "string", format: "date-time" },
  },
};

// tokens holds workspaces by the Authorization header, for a second.
const tokens = new Map();

async function authenticate(request, reply) {
  const header = request.headers.authorization ?? "";
  const cached = tokens.get(header);
  if (cached !== undefined && cached.until > Date.now()) {
    request.workspace = cached.workspace;
    return;
  }
  const hash = createHash("sha256").update(header.slice("Bearer ".length)).digest();
  const { rows } = await pool.query({
    name: "token",
    text: "SELECT workspace_id FROM api_tokens WHERE token_hash = $1 AND revoked_at IS NULL",
    values: [hash],
  });
  if (rows.length === 0) {
    return reply.code(401).send({ error: "unknown token" });
  }
  request.workspace = rows[0].workspace_id;
  tokens.set(header, { workspace: request.workspace, until: Date.now() + TOKEN_TTL_MS });
}

function represent(row) {
  return {
    id: row.id,
    status: row.status,
    fields: row.fields,
    score: row.score,
    source: row.source,
    conversationId: row.conversation_id,
    crmExternalId: row.crm_external_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function newID(milliseconds) {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(milliseconds, 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// As @fastify/compress, without its streams: whole responses are compressed faster.
const compress = promisify(gzip);
app.addHook("onSend", async (request, reply, payload) => {
  if (typeof payload !== "string" || payload.length < COMPRESS_FROM || !request.headers["accept-encoding"]?.includes("gzip")) {
    return payload;
  }
  reply.header("Content-Encoding", "gzip");
  return compress(payload, { level: 1 });
});

app.decorateRequest("workspace", null);
app.get("/readyz", async () => "");

app.get(
  "/api/v1/leads",
  {
    onRequest: authenticate,
    schema: {
      querystring: {
        type: "object",
        properties: { limit: { type: "integer", minimum: 1, maximum: 200, default: 50 } },
        additionalProperties: false,
      },
      response: { 200: { type: "array", items: lead } },
    },
  },
  async (request) => {
    const { limit } = request.query;
    const { rows } = await pool.query({
      name: "list",
      text: `SELECT ${columns} FROM leads WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
      values: [request.workspace, greatestID, limit + 1],
    });
    return rows.slice(0, limit).map(represent);
  },
);

app.get(
  "/api/v1/leads/:id",
  {
    onRequest: authenticate,
    schema: {
      params: { type: "object", properties: { id: { type: "string", format: "uuid" } } },
      response: { 200: lead },
    },
  },
  async (request, reply) => {
    const { rows } = await pool.query({
      name: "get",
      text: `SELECT ${columns} FROM leads WHERE workspace_id = $1 AND id = $2`,
      values: [request.workspace, request.params.id],
    });
    return rows.length === 0 ? reply.code(404).send({ error: "not found" }) : represent(rows[0]);
  },
);

app.post(
  "/api/v1/leads",
  {
    onRequest: authenticate,
    schema: {
      body: {
        type: "object",
        required: ["fields"],
        properties: { fields, source: { type: "string", minLength: 1, maxLength: 200 } },
        additionalProperties: false,
      },
      response: { 201: lead },
    },
  },
  async (request, reply) => {
    const now = new Date();
    const created = {
      id: newID(now.getTime()),
      status: "NEW",
      fields: request.body.fields,
      score: null,
      source: request.body.source ?? null,
      conversationId: null,
      crmExternalId: null,
      createdAt: now,
      updatedAt: now,
    };
    const { rows } = await pool.query({
      name: "insert",
      text: `WITH created AS (
          INSERT INTO leads (workspace_id, id, status, fields, source, created_at, updated_at)
          VALUES ($1, $2, 'NEW', $3, $4, $5, $5) RETURNING fields
        ), noted AS (
          INSERT INTO bench_outbox (workspace_id, id, type, data, occurred_at) VALUES ($1, $6, 'lead.created', $7, $5)
        ) SELECT fields FROM created`,
      values: [
        request.workspace, created.id, created.fields, created.source, now, newID(now.getTime()), JSON.stringify({ lead: created }),
      ],
    });
    return reply.code(201).send({ ...created, fields: rows[0].fields });
  },
);

await app.listen({ host: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ addr: `127.0.0.1:${app.server.address().port}` }));
