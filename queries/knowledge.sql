-- name: KnowledgeSourceCreate :one
-- Creates a source. Returns no row if the workspace has a source with the same bytes.
INSERT INTO knowledge_sources (workspace_id, id, type, file_name, content_type, size_bytes, sha256, url, depth, created_at, updated_at)
VALUES (@workspace_id, @id, @kind, sqlc.narg('file_name'), sqlc.narg('content_type'), sqlc.narg('size_bytes'), sqlc.narg('sha256'), sqlc.narg('url'), sqlc.narg('depth'), @created_at, @created_at)
ON CONFLICT (workspace_id, sha256) WHERE deleted_at IS NULL DO NOTHING
RETURNING *;

-- name: KnowledgeSourceGet :one
-- One source of the workspace.
SELECT * FROM knowledge_sources WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL;

-- name: KnowledgeSourceLock :one
-- One source, locked until the transaction ends.
SELECT * FROM knowledge_sources WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: KnowledgeSourceLockBySHA256 :one
-- The source with the same bytes, locked until the transaction ends.
SELECT * FROM knowledge_sources WHERE workspace_id = @workspace_id AND sha256 = @sha256 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: KnowledgeSourceRename :one
-- Gives a source the name and type under which its bytes were uploaded again.
UPDATE knowledge_sources SET file_name = @file_name::text, content_type = @content_type::text, updated_at = @updated_at
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;

-- name: KnowledgeSourceList :many
-- Sources before before_id, newest first.
SELECT * FROM knowledge_sources
WHERE workspace_id = @workspace_id AND id < @before_id AND deleted_at IS NULL
ORDER BY id DESC LIMIT @row_limit;

-- name: KnowledgeSourceDelete :one
-- Marks a source as deleted: from now on nothing finds it. Its rows are deleted later, in
-- batches, since there may be too many for one statement.
UPDATE knowledge_sources SET deleted_at = @deleted_at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND deleted_at IS NULL
RETURNING *;

-- name: KnowledgeSourceListDeleted :many
-- Which of some sources are deleted.
SELECT id FROM knowledge_sources WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]) AND deleted_at IS NOT NULL;

-- name: SystemKnowledgeChunkDeleteOfDeleted :execrows
-- Deletes up to max_rows passages of deleted sources.
DELETE FROM knowledge_chunks WHERE (workspace_id, source_id, id) IN (
    SELECT gone.workspace_id, gone.source_id, gone.id FROM knowledge_sources AS source
    JOIN knowledge_chunks AS gone ON gone.workspace_id = source.workspace_id AND gone.source_id = source.id
    WHERE source.deleted_at IS NOT NULL LIMIT @max_rows
);

-- name: SystemKnowledgeDocumentDeleteOfDeleted :execrows
-- Deletes up to max_rows pages of deleted sources whose passages are deleted.
DELETE FROM knowledge_documents WHERE (workspace_id, source_id, url) IN (
    SELECT gone.workspace_id, gone.source_id, gone.url FROM knowledge_sources AS source
    JOIN knowledge_documents AS gone ON gone.workspace_id = source.workspace_id AND gone.source_id = source.id
    WHERE source.deleted_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM knowledge_chunks AS chunk
        WHERE chunk.workspace_id = gone.workspace_id AND chunk.source_id = gone.source_id AND chunk.document_url = gone.url
    ) LIMIT @max_rows
);

-- name: SystemKnowledgeJobDetachOfDeleted :execrows
-- Takes the reference to its deleted source from up to max_rows jobs.
UPDATE knowledge_jobs SET source_id = NULL WHERE (workspace_id, id) IN (
    SELECT job.workspace_id, job.id FROM knowledge_sources AS source
    JOIN knowledge_jobs AS job ON job.workspace_id = source.workspace_id AND job.source_id = source.id
    WHERE source.deleted_at IS NOT NULL LIMIT @max_rows
);

-- name: SystemKnowledgeSourceDeleteDeleted :execrows
-- Deletes up to max_rows sources that are marked as deleted and have no rows left.
DELETE FROM knowledge_sources WHERE (workspace_id, id) IN (
    SELECT source.workspace_id, source.id FROM knowledge_sources AS source
    WHERE source.deleted_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM knowledge_documents AS page WHERE page.workspace_id = source.workspace_id AND page.source_id = source.id)
      AND NOT EXISTS (SELECT 1 FROM knowledge_jobs AS job WHERE job.workspace_id = source.workspace_id AND job.source_id = source.id)
    LIMIT @max_rows
);

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

-- name: KnowledgeJobCountOpen :one
-- The number of jobs of a type that have not ended, counted up to max_jobs.
SELECT count(*) FROM (
    SELECT 1 FROM knowledge_jobs
    WHERE workspace_id = @workspace_id AND type = @kind AND status IN ('PENDING', 'PROCESSING') LIMIT @max_jobs
) AS open;

-- name: SystemKnowledgeJobClaim :many
-- Leases up to max_jobs jobs of a type that no worker has. Each workspace gets up to share
-- leases, its oldest jobs first. Workspaces with fewer leases come first, then those whose
-- job has waited longest. Jobs that another claim has locked are skipped; claims at the same
-- moment may exceed a share by one job each. spaces jumps through the index from workspace
-- to workspace, so that a long queue costs no more than a short one.
WITH RECURSIVE spaces AS (
    (SELECT first.workspace_id FROM knowledge_jobs AS first
     WHERE first.type = @kind AND first.status IN ('PENDING', 'PROCESSING') ORDER BY first.workspace_id LIMIT 1)
    UNION ALL
    SELECT next.workspace_id FROM spaces CROSS JOIN LATERAL (
        SELECT after.workspace_id FROM knowledge_jobs AS after
        WHERE after.type = @kind AND after.status IN ('PENDING', 'PROCESSING') AND after.workspace_id > spaces.workspace_id
        ORDER BY after.workspace_id LIMIT 1
    ) AS next
), running AS (
    SELECT busy.workspace_id, count(*) AS jobs FROM knowledge_jobs AS busy
    WHERE busy.type = @kind AND busy.status = 'PROCESSING' AND busy.leased_until > @now::timestamptz
    GROUP BY busy.workspace_id
), candidates AS (
    SELECT waiting.workspace_id, waiting.id, coalesce(running.jobs, 0) + waiting.nth AS turn
    FROM spaces
    LEFT JOIN running ON running.workspace_id = spaces.workspace_id
    CROSS JOIN LATERAL (
        SELECT job.workspace_id, job.id, row_number() OVER (ORDER BY job.id) AS nth FROM knowledge_jobs AS job
        WHERE job.type = @kind AND job.workspace_id = spaces.workspace_id AND job.status IN ('PENDING', 'PROCESSING')
          AND (job.leased_until IS NULL OR job.leased_until <= @now::timestamptz) AND (job.available_at IS NULL OR job.available_at <= @now::timestamptz)
        ORDER BY job.id LIMIT @share
    ) AS waiting
    WHERE coalesce(running.jobs, 0) + waiting.nth <= @share
), claimed AS (
    SELECT job.workspace_id, job.id FROM candidates
    JOIN knowledge_jobs AS job ON job.workspace_id = candidates.workspace_id AND job.id = candidates.id
    WHERE job.status IN ('PENDING', 'PROCESSING')
      AND (job.leased_until IS NULL OR job.leased_until <= @now::timestamptz) AND (job.available_at IS NULL OR job.available_at <= @now::timestamptz)
    ORDER BY candidates.turn, coalesce(greatest(job.leased_until, job.available_at), job.created_at), job.id
    LIMIT @max_jobs FOR UPDATE OF job SKIP LOCKED
)
UPDATE knowledge_jobs
SET status = 'PROCESSING', started_at = coalesce(knowledge_jobs.started_at, @now::timestamptz), leased_until = @until::timestamptz, available_at = NULL
FROM claimed WHERE knowledge_jobs.workspace_id = claimed.workspace_id AND knowledge_jobs.id = claimed.id
RETURNING knowledge_jobs.*;

-- name: KnowledgeJobProlong :execrows
-- Extends the lease of a job. Affects no row if the job was canceled.
UPDATE knowledge_jobs SET leased_until = @until::timestamptz WHERE workspace_id = @workspace_id AND id = @id AND status = 'PROCESSING';

-- name: KnowledgeJobRelease :exec
-- Ends the lease of a job that has not ended. It can be claimed from available_at on.
UPDATE knowledge_jobs SET leased_until = @now::timestamptz, available_at = @available_at::timestamptz, failures = @failures
WHERE workspace_id = @workspace_id AND id = @id AND status = 'PROCESSING';

-- name: KnowledgeJobEnd :one
-- Ends a job that has not ended.
UPDATE knowledge_jobs SET status = @status, error_code = sqlc.narg('error_code'), error_message = sqlc.narg('error_message'), finished_at = @now::timestamptz, leased_until = NULL
WHERE workspace_id = @workspace_id AND id = @id AND status IN ('PENDING', 'PROCESSING')
RETURNING *;

-- name: KnowledgeJobCancelBySource :exec
-- Cancels the jobs of a source.
UPDATE knowledge_jobs SET status = 'CANCELLED', finished_at = @now::timestamptz, leased_until = NULL
WHERE workspace_id = @workspace_id AND source_id = @source_id::uuid AND status IN ('PENDING', 'PROCESSING');

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

-- name: KnowledgePageAnyEnded :one
-- Whether a page of a job has been read.
SELECT EXISTS (SELECT 1 FROM knowledge_pages WHERE workspace_id = @workspace_id AND job_id = @job_id AND state <> 'FOUND');

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

-- name: KnowledgeDocumentDeleteUnvisited :execrows
-- Removes up to max_rows pages from the index that a job has not visited.
DELETE FROM knowledge_documents
WHERE knowledge_documents.workspace_id = @workspace_id AND knowledge_documents.source_id = @source_id AND knowledge_documents.url IN (
    SELECT gone.url FROM knowledge_documents AS gone
    WHERE gone.workspace_id = @workspace_id AND gone.source_id = @source_id AND gone.job_id IS DISTINCT FROM @job_id::uuid LIMIT @max_rows
);

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
      AND chunk.source_id NOT IN (SELECT gone.id FROM knowledge_sources AS gone WHERE gone.workspace_id = @workspace_id AND gone.deleted_at IS NOT NULL)
      AND (cardinality(@source_ids::uuid[]) = 0 OR chunk.source_id = ANY(@source_ids::uuid[]))
    LIMIT @candidates
) AS found
JOIN knowledge_sources ON knowledge_sources.workspace_id = found.workspace_id AND knowledge_sources.id = found.source_id
ORDER BY score DESC, found.id LIMIT @row_limit;
