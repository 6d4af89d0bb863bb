-- name: SystemTokenByHash :one
-- The token with a hash and the settings of its workspace; also if expired or revoked.
SELECT api_tokens.workspace_id, api_tokens.id, api_tokens.scopes, api_tokens.expires_at, api_tokens.revoked_at,
    workspaces.rate_limit_per_minute, workspaces.require_scopes_for_knowledge
FROM api_tokens
JOIN workspaces ON workspaces.id = api_tokens.workspace_id
WHERE api_tokens.token_hash = @token_hash;

-- name: SystemTokenRecordUse :exec
-- Records when tokens were last used, in a batch; never moves a time backwards.
UPDATE api_tokens SET last_used_at = used.at
FROM (SELECT unnest(@workspace_ids::uuid[]) AS workspace_id, unnest(@ids::uuid[]) AS id,
    unnest(@used_at::timestamptz[]) AS at) AS used
WHERE api_tokens.workspace_id = used.workspace_id AND api_tokens.id = used.id
  AND (api_tokens.last_used_at IS NULL OR api_tokens.last_used_at < used.at);

-- name: TokenCreate :one
-- Creates a token; only the caller knows its plaintext.
INSERT INTO api_tokens (workspace_id, id, name, token_hash, last_four, scopes, created_by, created_at, expires_at)
VALUES (@workspace_id, @id, @name, @token_hash, @last_four, @scopes, sqlc.narg('created_by'), @created_at, sqlc.narg('expires_at'))
RETURNING *;

-- name: TokenList :many
-- Tokens with their creators, newest first.
SELECT sqlc.embed(api_tokens), users.name AS creator
FROM api_tokens
LEFT JOIN users ON users.id = api_tokens.created_by
WHERE api_tokens.workspace_id = @workspace_id ORDER BY api_tokens.id DESC;

-- name: TokenLock :one
-- One token, locked until the transaction ends.
SELECT * FROM api_tokens WHERE workspace_id = @workspace_id AND id = @id FOR NO KEY UPDATE;

-- name: TokenSetExpiry :exec
-- Sets when a token expires.
UPDATE api_tokens SET expires_at = @expires_at WHERE workspace_id = @workspace_id AND id = @id;

-- name: TokenRevoke :execrows
-- Revokes a token; 0 rows if there is none that is valid.
UPDATE api_tokens SET revoked_at = @revoked_at
WHERE workspace_id = @workspace_id AND id = @id AND revoked_at IS NULL;
