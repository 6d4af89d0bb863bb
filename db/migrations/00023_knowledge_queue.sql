-- Workers claim knowledge jobs by type and workspace, straight from the table.

-- +goose Up
ALTER TABLE knowledge_jobs
    -- Errors of the server since the job last made progress.
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    -- No worker claims the job before: it waits to be retried, or as its site asks.
    ADD COLUMN available_at timestamptz(3);
DROP INDEX knowledge_jobs_open_idx;
CREATE INDEX knowledge_jobs_open_idx ON knowledge_jobs (type, workspace_id, id) WHERE status IN ('PENDING', 'PROCESSING');
CREATE INDEX knowledge_jobs_processing_idx ON knowledge_jobs (type, workspace_id) WHERE status = 'PROCESSING';

-- +goose Down
DROP INDEX knowledge_jobs_processing_idx;
DROP INDEX knowledge_jobs_open_idx;
CREATE INDEX knowledge_jobs_open_idx ON knowledge_jobs (workspace_id, id) WHERE status IN ('PENDING', 'PROCESSING');
ALTER TABLE knowledge_jobs DROP COLUMN failures, DROP COLUMN available_at;
