-- name: ModelProviderGet :one
-- The settings of one provider of the workspace.
SELECT * FROM model_providers WHERE workspace_id = @workspace_id AND provider = @provider;

-- name: ModelProviderLock :one
-- The settings of one provider, locked until the transaction ends.
SELECT * FROM model_providers WHERE workspace_id = @workspace_id AND provider = @provider FOR UPDATE;

-- name: ModelProviderSet :one
-- Stores the settings of a provider, or replaces them.
INSERT INTO model_providers (workspace_id, provider, base_url, api_key, prices, created_at, updated_at)
VALUES (@workspace_id, @provider, sqlc.narg('base_url'), sqlc.narg('api_key'), @prices, @now::timestamptz, @now::timestamptz)
ON CONFLICT (workspace_id, provider) DO UPDATE SET base_url = excluded.base_url, api_key = excluded.api_key, prices = excluded.prices, updated_at = excluded.updated_at
RETURNING *;

-- name: ModelProviderDelete :execrows
-- Deletes the settings of a provider.
DELETE FROM model_providers WHERE workspace_id = @workspace_id AND provider = @provider;
