-- name: IdempotencyKeyTryLock :one
-- Claims a key until the transaction ends; false while another request holds it.
SELECT pg_try_advisory_xact_lock(hashtextextended(concat(claim.workspace_id, claim.key), 0))
FROM (SELECT @workspace_id::uuid AS workspace_id, @key::text AS key) AS claim;

-- name: IdempotencyKeyGet :one
-- The stored answer of a key that is not older than not_before.
SELECT * FROM idempotency_keys
WHERE workspace_id = @workspace_id AND key = @key AND created_at > @not_before;

-- name: IdempotencyKeyPut :exec
-- Stores an answer, over an expired one if there is such.
INSERT INTO idempotency_keys (workspace_id, key, fingerprint, status, header, body, created_at)
VALUES (@workspace_id, @key, @fingerprint, @status, @header, @body, @created_at)
ON CONFLICT (workspace_id, key) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, header = excluded.header,
    body = excluded.body, created_at = excluded.created_at;

-- name: SystemIdempotencyKeyDeleteOld :execrows
-- Deletes up to max_rows responses that were stored before a time.
DELETE FROM idempotency_keys WHERE (workspace_id, key) IN (
  SELECT workspace_id, key FROM idempotency_keys AS old WHERE old.created_at < @before LIMIT @max_rows
);
