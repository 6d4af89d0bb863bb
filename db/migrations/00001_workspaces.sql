-- Every tenant table has workspace_id first in its primary key and in its
-- foreign keys, so that no row can point into another workspace and the tables
-- can be distributed by workspace_id as they stand.
-- Ids are UUIDs of version 7, and created_at is the time in the id.

-- +goose Up
CREATE TABLE workspaces (
    id                     uuid PRIMARY KEY,
    slug                   text NOT NULL,
    name                   text NOT NULL,
    -- Requests per minute for each route; null for the default of the API document.
    rate_limit_per_minute  integer,
    created_at             timestamptz(3) NOT NULL,
    CONSTRAINT workspaces_slug_key UNIQUE (slug),
    CONSTRAINT workspaces_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT workspaces_rate_limit_check CHECK (rate_limit_per_minute > 0)
);

CREATE TABLE api_tokens (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    name          text NOT NULL,
    -- SHA-256 of the plaintext, which is not stored.
    token_hash    bytea NOT NULL,
    last_four     text NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    expires_at    timestamptz(3),
    revoked_at    timestamptz(3),
    last_used_at  timestamptz(3),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT api_tokens_hash_check CHECK (length(token_hash) = 32)
);
-- No unique index, which a distributed table could not have: 128 random bits are unique.
CREATE INDEX api_tokens_hash_idx ON api_tokens (token_hash);

-- +goose StatementBegin
CREATE FUNCTION notify_token_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('token_changed', encode(OLD.token_hash, 'hex'));
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- Fires for any statement, manual ones included, but not for last_used_at.
CREATE TRIGGER api_tokens_changed
    AFTER DELETE OR UPDATE OF revoked_at, expires_at, scopes, token_hash ON api_tokens
    FOR EACH ROW EXECUTE FUNCTION notify_token_changed();

-- +goose Down
DROP TABLE api_tokens;
DROP FUNCTION notify_token_changed();
DROP TABLE workspaces;
