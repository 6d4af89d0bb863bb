-- Authorizations of channels in a browser (OAuth).

-- +goose Up
-- The authorization of a channel that is in progress: a hash of the state that the provider
-- returns, and until when it does. It is used once.
ALTER TABLE channels ADD COLUMN authorization_hash bytea, ADD COLUMN authorization_until timestamptz(3);

-- +goose Down
ALTER TABLE channels DROP COLUMN authorization_hash, DROP COLUMN authorization_until;
