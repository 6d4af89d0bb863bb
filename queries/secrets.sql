-- name: SystemSecretKeyCheckCreate :exec
-- Stores the key check value of a new database; an existing one stays.
INSERT INTO secret_key_check (sealed) VALUES (@sealed) ON CONFLICT DO NOTHING;

-- name: SystemSecretKeyCheckGet :one
-- The key check value.
SELECT sealed FROM secret_key_check;

-- name: SystemSecretKeyCheckReplace :exec
-- Replaces the key check value after a rotation.
UPDATE secret_key_check SET sealed = @sealed;

-- name: SystemSecretList :many
-- Encrypted secrets of webhooks after a position, locked until the transaction ends.
SELECT workspace_id, id, secret, previous_secret FROM integrations
WHERE (workspace_id, id) > (@after_workspace_id, @after_id) AND secret IS NOT NULL
ORDER BY workspace_id, id LIMIT @row_limit FOR NO KEY UPDATE;

-- name: SecretReplace :exec
-- Stores the secrets of a webhook encrypted with another key.
UPDATE integrations SET secret = @secret, previous_secret = sqlc.narg('previous_secret')
WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemChannelSecretList :many
-- Encrypted credentials of channels after a position, locked until the transaction ends.
SELECT workspace_id, id, credentials FROM channels
WHERE (workspace_id, id) > (@after_workspace_id, @after_id) AND credentials IS NOT NULL
ORDER BY workspace_id, id LIMIT @row_limit FOR NO KEY UPDATE;

-- name: ChannelSecretReplace :exec
-- Stores the credentials of a channel encrypted with another key.
UPDATE channels SET credentials = @credentials WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemModelProviderSecretList :many
-- Encrypted keys of model providers after a position, locked until the transaction ends.
SELECT workspace_id, provider, api_key FROM model_providers
WHERE (workspace_id, provider) > (@after_workspace_id, @after_provider::text) AND api_key IS NOT NULL
ORDER BY workspace_id, provider LIMIT @row_limit FOR NO KEY UPDATE;

-- name: ModelProviderSecretReplace :exec
-- Stores the key of a model provider encrypted with another key.
UPDATE model_providers SET api_key = @api_key WHERE workspace_id = @workspace_id AND provider = @provider;
