-- +goose Up
CREATE TABLE knowledge_sources (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    type          text NOT NULL,
    file_name     text,
    content_type  text,
    size_bytes    bigint,
    sha256        bytea,
    url           text,
    depth         integer,
    chunk_count   integer NOT NULL DEFAULT 0,
    created_at    timestamptz(3) NOT NULL,
    updated_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- No two sources have the same bytes.
    CONSTRAINT knowledge_sources_sha256_key UNIQUE (workspace_id, sha256),
    CONSTRAINT knowledge_sources_type_check CHECK (
        type = 'UPLOAD' AND file_name IS NOT NULL AND content_type IS NOT NULL AND size_bytes IS NOT NULL AND sha256 IS NOT NULL
        OR type = 'CRAWL' AND url IS NOT NULL AND depth IS NOT NULL)
);

CREATE TABLE knowledge_jobs (
    workspace_id   uuid NOT NULL REFERENCES workspaces (id),
    id             uuid NOT NULL,
    source_id      uuid,
    type           text NOT NULL,
    status         text NOT NULL DEFAULT 'PENDING',
    file_name      text,
    url            text,
    refresh        boolean NOT NULL,
    error_code     text,
    error_message  text,
    -- The end of the lease, which the worker extends while it runs.
    leased_until   timestamptz(3),
    created_at     timestamptz(3) NOT NULL,
    started_at     timestamptz(3),
    finished_at    timestamptz(3),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT knowledge_jobs_source_fkey FOREIGN KEY (workspace_id, source_id)
        REFERENCES knowledge_sources (workspace_id, id) ON DELETE SET NULL (source_id),
    CONSTRAINT knowledge_jobs_type_check CHECK (type IN ('UPLOAD', 'CRAWL')),
    CONSTRAINT knowledge_jobs_status_check CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED'))
);
CREATE INDEX knowledge_jobs_source_idx ON knowledge_jobs (workspace_id, source_id, id);
CREATE INDEX knowledge_jobs_open_idx ON knowledge_jobs (workspace_id, id) WHERE status IN ('PENDING', 'PROCESSING');

-- The pages of a job: those that a crawl has found, or the uploaded file.
CREATE TABLE knowledge_pages (
    workspace_id  uuid NOT NULL,
    job_id        uuid NOT NULL,
    url           text NOT NULL,
    position      bigint GENERATED ALWAYS AS IDENTITY,
    depth         integer NOT NULL,
    state         text NOT NULL DEFAULT 'FOUND',
    reason        text,
    PRIMARY KEY (workspace_id, job_id, url),
    CONSTRAINT knowledge_pages_job_fkey FOREIGN KEY (workspace_id, job_id)
        REFERENCES knowledge_jobs (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT knowledge_pages_state_check CHECK (state IN ('FOUND', 'DONE', 'SKIPPED', 'FAILED'))
);
CREATE INDEX knowledge_pages_next_idx ON knowledge_pages (workspace_id, job_id, depth, position) WHERE state = 'FOUND';

-- The content of a page when it was indexed, so that a refresh detects changes.
CREATE TABLE knowledge_documents (
    workspace_id  uuid NOT NULL,
    source_id     uuid NOT NULL,
    url           text NOT NULL,
    content_hash  bytea NOT NULL,
    job_id        uuid, -- the last job that has visited it
    PRIMARY KEY (workspace_id, source_id, url),
    CONSTRAINT knowledge_documents_source_fkey FOREIGN KEY (workspace_id, source_id)
        REFERENCES knowledge_sources (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX knowledge_documents_content_idx ON knowledge_documents (workspace_id, source_id, content_hash);

-- Passages. terms are stems (see internal/platform/language) with their positions, headings
-- with a higher weight, and one term for the workspace, so that one index serves all.
CREATE TABLE knowledge_chunks (
    workspace_id  uuid NOT NULL,
    source_id     uuid NOT NULL,
    id            uuid NOT NULL,
    document_url  text NOT NULL,
    heading       text,
    page          integer,
    content       text NOT NULL,
    terms         tsvector NOT NULL,
    PRIMARY KEY (workspace_id, source_id, id),
    CONSTRAINT knowledge_chunks_document_fkey FOREIGN KEY (workspace_id, source_id, document_url)
        REFERENCES knowledge_documents (workspace_id, source_id, url) ON DELETE CASCADE
);
CREATE INDEX knowledge_chunks_document_idx ON knowledge_chunks (workspace_id, source_id, document_url);
CREATE INDEX knowledge_chunks_terms_idx ON knowledge_chunks USING gin (terms) WITH (fastupdate = off);

-- +goose Down
DROP TABLE knowledge_chunks;
DROP TABLE knowledge_documents;
DROP TABLE knowledge_pages;
DROP TABLE knowledge_jobs;
DROP TABLE knowledge_sources;
