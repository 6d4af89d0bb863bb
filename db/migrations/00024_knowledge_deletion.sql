-- A source is marked as deleted, and its rows are deleted in batches later.

-- +goose Up
ALTER TABLE knowledge_sources ADD COLUMN deleted_at timestamptz(3), DROP CONSTRAINT knowledge_sources_sha256_key;
-- No two sources have the same bytes.
CREATE UNIQUE INDEX knowledge_sources_sha256_key ON knowledge_sources (workspace_id, sha256) WHERE deleted_at IS NULL;
CREATE INDEX knowledge_sources_deleted_idx ON knowledge_sources (workspace_id, id) WHERE deleted_at IS NOT NULL;

-- +goose Down
DELETE FROM knowledge_sources WHERE deleted_at IS NOT NULL;
DROP INDEX knowledge_sources_deleted_idx;
DROP INDEX knowledge_sources_sha256_key;
ALTER TABLE knowledge_sources DROP COLUMN deleted_at, ADD CONSTRAINT knowledge_sources_sha256_key UNIQUE (workspace_id, sha256);
