-- name: KnowledgeSourceCreate :one
-- Creates a source. Returns no row if the workspace has a source with the same bytes.
INSERT INTO knowledge_sources (workspace_id, id, type, file_name, content_type, size_bytes, sha256, url, depth, created_at, updated_at)
VALUES (@workspace_id, @id, @kind, sqlc.narg('file_name'), sqlc.narg('content_type'), sqlc.narg('size_bytes'), sqlc.narg('sha256'), sqlc.narg('url'), sqlc.narg('depth'), @created_at, @created_at)
ON CONFLICT (workspace_id, sha256) DO NOTHING
RETURNING *;

-- name: KnowledgeSourceGet :one
-- One source of the workspace.
SELECT * FROM knowledge_sources WHERE workspace_id = @workspace_id AND id = @id;

-- name: KnowledgeSourceLock :one
-- One source, locked until the transaction ends.
SELECT * FROM knowledge_sources WHERE workspace_id = @workspace_id AND id = @id FOR NO KEY UPDATE;

-- name: KnowledgeSourceLockBySHA256 :one
-- The source with the same bytes, locked until the transaction ends.
SELECT * FROM knowledge_sources WHERE workspace_id = @workspace_id AND sha256 = @sha256 FOR NO KEY UPDATE;

-- name: KnowledgeSourceRename :one
-- Gives a source the name and type under which its bytes were uploaded again.
UPDATE knowledge_sources SET file_name = @file_name::text, content_type = @content_type::text, updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: KnowledgeSourceList :many
-- Sources before before_id, newest first.
SELECT * FROM knowledge_sources
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: KnowledgeSourceDelete :one
-- Deletes a source and its index. Returns the deleted row.
DELETE FROM knowledge_sources WHERE workspace_id = @workspace_id AND id = @id RETURNING *;

-- name: KnowledgeSourceRecount :exec
-- Updates the number of passages.
UPDATE knowledge_sources SET updated_at = @updated_at, chunk_count = (
    SELECT count(*) FROM knowledge_chunks WHERE knowledge_chunks.workspace_id = @workspace_id AND knowledge_chunks.source_id = @id)
WHERE workspace_id = @workspace_id AND id = @id;

-- name: KnowledgeJobCreate :one
-- Creates a queued job.
INSERT INTO knowledge_jobs (workspace_id, id, source_id, type, file_name, url, refresh, created_at)
VALUES (@workspace_id, @id, @source_id::uuid, @kind, sqlc.narg('file_name'), sqlc.narg('url'), @refresh, @created_at)
RETURNING *;

-- name: KnowledgeJobGet :one
-- One job of the workspace.
SELECT * FROM knowledge_jobs WHERE workspace_id = @workspace_id AND id = @id;

-- name: KnowledgeJobLatest :one
-- The latest job of a source.
SELECT * FROM knowledge_jobs WHERE workspace_id = @workspace_id AND source_id = @source_id::uuid ORDER BY id DESC LIMIT 1;

-- name: KnowledgeJobList :many
-- Jobs before before_id, newest first.
SELECT * FROM knowledge_jobs
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: KnowledgeJobClaim :one
-- Leases an unclaimed job. Returns no row if it is leased or has ended.
UPDATE knowledge_jobs SET status = 'PROCESSING', started_at = coalesce(started_at, @now::timestamptz), leased_until = @until::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND status IN ('PENDING', 'PROCESSING') AND (leased_until IS NULL OR leased_until <= @now::timestamptz)
RETURNING *;

-- name: KnowledgeJobProlong :execrows
-- Extends the lease of a job. Affects no row if the job was canceled.
UPDATE knowledge_jobs SET leased_until = @until::timestamptz WHERE workspace_id = @workspace_id AND id = @id AND status = 'PROCESSING';

-- name: KnowledgeJobRelease :exec
-- Ends the lease of a job that has not ended.
UPDATE knowledge_jobs SET leased_until = @now::timestamptz WHERE workspace_id = @workspace_id AND id = @id AND status = 'PROCESSING';

-- name: KnowledgeJobEnd :one
-- Ends a job that has not ended.
UPDATE knowledge_jobs SET status = @status, error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message'), finished_at = @now::timestamptz, leased_until = NULL
WHERE workspace_id = @workspace_id AND id = @id AND status IN ('PENDING', 'PROCESSING')
RETURNING *;

-- name: KnowledgeJobCancelBySource :exec
-- Cancels the jobs of a source.
UPDATE knowledge_jobs SET status = 'CANCELLED', finished_at = @now::timestamptz, leased_until = NULL
WHERE workspace_id = @workspace_id AND source_id = @source_id::uuid AND status IN ('PENDING', 'PROCESSING');

-- name: SystemKnowledgeJobListOrphaned :many
-- Orphaned jobs, to queue again: no worker has leased them for a while. Each is returned
-- once per period, so that a job that is waiting in the queue is not queued repeatedly.
UPDATE knowledge_jobs SET leased_until = @now::timestamptz
WHERE status = 'PENDING' AND coalesce(leased_until, created_at) <= @pending_before::timestamptz
  OR status = 'PROCESSING' AND coalesce(leased_until, created_at) <= @processing_before::timestamptz
RETURNING workspace_id, id;

-- name: KnowledgePageAdd :exec
-- Adds pages to visit. Pages that the job has already are not changed.
INSERT INTO knowledge_pages (workspace_id, job_id, url, depth)
SELECT @workspace_id, @job_id, found.url, @depth FROM (SELECT unnest(@urls::text[]) AS url) AS found
ON CONFLICT DO NOTHING;

-- name: KnowledgePageNext :one
-- The page to visit next: breadth first, in the order in which they were found.
SELECT url, depth FROM knowledge_pages
WHERE workspace_id = @workspace_id AND job_id = @job_id AND state = 'FOUND'
ORDER BY depth, position LIMIT 1;

-- name: KnowledgePageEnd :exec
-- Records the result of a page.
UPDATE knowledge_pages SET state = @state, reason = sqlc.narg('reason')
WHERE workspace_id = @workspace_id AND job_id = @job_id AND url = @url;

-- name: KnowledgePageCounts :many
-- The number of pages of some jobs by state.
SELECT job_id, state, count(*) AS pages FROM knowledge_pages
WHERE workspace_id = @workspace_id AND job_id = ANY(@job_ids::uuid[])
GROUP BY job_id, state;

-- name: KnowledgePageFailures :many
-- Why pages of some jobs failed, the first ones of each job.
SELECT job_id, url, reason FROM (
    SELECT knowledge_pages.*, row_number() OVER (PARTITION BY job_id ORDER BY position) AS nth FROM knowledge_pages
    WHERE workspace_id = @workspace_id AND job_id = ANY(@job_ids::uuid[]) AND state = 'FAILED'
) AS failed
WHERE nth <= @most::bigint ORDER BY position;

-- name: KnowledgePageTotal :one
-- The number of pages of a job.
SELECT count(*) FROM knowledge_pages WHERE workspace_id = @workspace_id AND job_id = @job_id;

-- name: KnowledgePageListKnown :many
-- The given addresses that are pages of a job.
SELECT url FROM knowledge_pages WHERE workspace_id = @workspace_id AND job_id = @job_id AND url = ANY(@urls::text[]);

-- name: KnowledgeDocumentFind :one
-- Whether this job has read a page already, the index has its current content, or
-- another page has the same content.
SELECT
    EXISTS (SELECT 1 FROM knowledge_documents AS mine WHERE mine.workspace_id = @workspace_id AND mine.source_id = @source_id AND mine.url = @url AND mine.job_id = @job_id::uuid) AS visited,
    EXISTS (SELECT 1 FROM knowledge_documents AS same WHERE same.workspace_id = @workspace_id AND same.source_id = @source_id AND same.url = @url AND same.content_hash = @content_hash) AS unchanged,
    EXISTS (SELECT 1 FROM knowledge_documents AS other WHERE other.workspace_id = @workspace_id AND other.source_id = @source_id AND other.url <> @url AND other.content_hash = @content_hash AND other.job_id = @job_id::uuid) AS elsewhere;

-- name: KnowledgeDocumentTouch :exec
-- Records the job that has visited a page last.
UPDATE knowledge_documents SET job_id = @job_id::uuid WHERE workspace_id = @workspace_id AND source_id = @source_id AND url = @url;

-- name: KnowledgeDocumentDelete :exec
-- Removes a page from the index.
DELETE FROM knowledge_documents WHERE workspace_id = @workspace_id AND source_id = @source_id AND url = @url;

-- name: KnowledgeDocumentDeleteUnvisited :exec
-- Removes the pages from the index that a job has not visited.
DELETE FROM knowledge_documents WHERE workspace_id = @workspace_id AND source_id = @source_id AND job_id IS DISTINCT FROM @job_id::uuid;

-- name: KnowledgeDocumentCreate :exec
-- Creates an indexed page.
INSERT INTO knowledge_documents (workspace_id, source_id, url, content_hash) VALUES (@workspace_id, @source_id, @url, @content_hash);

-- name: KnowledgeChunkAdd :exec
-- Adds passages of a page.
INSERT INTO knowledge_chunks (workspace_id, source_id, id, document_url, heading, page, content, terms)
SELECT @workspace_id, @source_id, passage.id, @document_url, nullif(passage.heading, ''), nullif(passage.page, 0), passage.content,
    setweight(to_tsvector('simple', passage.heading_stems), 'A') || to_tsvector('simple', passage.stems) || array_to_tsvector(ARRAY[@workspace_term::text])
FROM (
    SELECT unnest(@ids::uuid[]) AS id, unnest(@headings::text[]) AS heading, unnest(@pages::integer[]) AS page,
        unnest(@contents::text[]) AS content, unnest(@heading_stems::text[]) AS heading_stems, unnest(@stems::text[]) AS stems
) AS passage;

-- name: KnowledgeChunkSearch :many
-- Matching passages, best first. A bounded number of candidates is ranked.
SELECT found.id, found.source_id, found.document_url, found.heading, found.page, found.content, knowledge_sources.type AS source_type,
    ts_rank_cd(found.terms, to_tsquery('simple', @words::text), 1)::double precision AS score
FROM (
    SELECT chunk.* FROM knowledge_chunks AS chunk
    WHERE chunk.workspace_id = @workspace_id AND chunk.terms @@ to_tsquery('simple', @query::text)
      AND (cardinality(@source_ids::uuid[]) = 0 OR chunk.source_id = ANY(@source_ids::uuid[]))
    LIMIT @candidates
) AS found
JOIN knowledge_sources ON knowledge_sources.workspace_id = found.workspace_id AND knowledge_sources.id = found.source_id
ORDER BY score DESC, found.id LIMIT @row_limit;
