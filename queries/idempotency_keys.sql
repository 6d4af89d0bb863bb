-- name: IdempotencyKeyReserve :execrows
-- Leases a key to an owner if it is free: unknown, expired, or reserved by a request
-- whose lease has ended. Affects no row otherwise.
INSERT INTO idempotency_keys AS held (workspace_id, key, owner, leased_until, created_at)
VALUES (@workspace_id, @key, @owner::uuid, @leased_until::timestamptz, @now)
ON CONFLICT (workspace_id, key) DO UPDATE SET
    owner = excluded.owner, leased_until = excluded.leased_until, created_at = excluded.created_at,
    fingerprint = NULL, status = NULL, header = NULL, body = NULL
WHERE held.created_at <= @expired_before OR held.status IS NULL AND held.leased_until <= @now;

-- name: IdempotencyKeyGet :one
-- A key: its response once the request has completed, its lease before.
SELECT * FROM idempotency_keys WHERE workspace_id = @workspace_id AND key = @key;

-- name: IdempotencyKeyComplete :execrows
-- Stores the response of a request. Affects no row if its owner has lost the lease.
UPDATE idempotency_keys SET fingerprint = @fingerprint, status = @status::integer, header = @header, body = @body
WHERE workspace_id = @workspace_id AND key = @key AND owner = @owner::uuid AND status IS NULL;

-- name: IdempotencyKeyReplace :exec
-- Replaces the response of a request by a later one of the same request.
UPDATE idempotency_keys SET status = @status::integer, header = @header, body = @body
WHERE workspace_id = @workspace_id AND key = @key AND owner = @owner::uuid AND status IS NOT NULL;

-- name: IdempotencyKeyRelease :exec
-- Frees a key whose request did not complete.
DELETE FROM idempotency_keys WHERE workspace_id = @workspace_id AND key = @key AND owner = @owner::uuid AND status IS NULL;

-- name: SystemIdempotencyKeyDeleteOld :execrows
-- Deletes up to max_rows keys that were first used before a time.
DELETE FROM idempotency_keys WHERE (workspace_id, key) IN (
  SELECT workspace_id, key FROM idempotency_keys AS old WHERE old.created_at < @before LIMIT @max_rows
);
