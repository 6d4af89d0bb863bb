-- +goose Up
-- A key is reserved before its request runs: until leased_until it belongs to owner.
-- The response is there once the request has completed.
ALTER TABLE idempotency_keys
    ADD COLUMN owner uuid,
    ADD COLUMN leased_until timestamptz(3),
    ALTER COLUMN fingerprint DROP NOT NULL,
    ALTER COLUMN status DROP NOT NULL,
    ALTER COLUMN header DROP NOT NULL,
    ALTER COLUMN body DROP NOT NULL,
    ADD CONSTRAINT idempotency_keys_state_check CHECK (
        (status IS NULL AND fingerprint IS NULL AND header IS NULL AND body IS NULL AND owner IS NOT NULL AND leased_until IS NOT NULL)
        OR (status IS NOT NULL AND fingerprint IS NOT NULL AND header IS NOT NULL AND body IS NOT NULL));

-- +goose Down
DELETE FROM idempotency_keys WHERE status IS NULL;
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_state_check,
    DROP COLUMN owner,
    DROP COLUMN leased_until,
    ALTER COLUMN fingerprint SET NOT NULL,
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN header SET NOT NULL,
    ALTER COLUMN body SET NOT NULL;
