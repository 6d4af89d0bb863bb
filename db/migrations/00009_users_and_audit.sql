-- Users who sign in to the console, and the audit log.

-- +goose Up
CREATE TABLE users (
    id                   uuid PRIMARY KEY,
    -- As entered; unique regardless of case.
    email                text NOT NULL,
    name                 text NOT NULL,
    -- argon2id in the PHC string format: parameters, salt and key.
    password_hash        text NOT NULL,
    -- Sessions created before this time are invalid.
    password_changed_at  timestamptz(3) NOT NULL,
    created_at           timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

CREATE TABLE memberships (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    user_id       uuid NOT NULL REFERENCES users (id),
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_user_idx ON memberships (user_id);

-- Managed by the session library; token is a hash of the cookie.
CREATE TABLE sessions (
    token   text PRIMARY KEY,
    data    bytea NOT NULL,
    expiry  timestamptz NOT NULL
);
CREATE INDEX sessions_expiry_idx ON sessions (expiry);

-- Null if the token was created by the command line.
ALTER TABLE api_tokens ADD COLUMN created_by uuid REFERENCES users (id);

CREATE TABLE audit_entries (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    actor_type    text NOT NULL,
    -- A user or a token; null for the command line.
    actor_id      uuid,
    -- The name of the actor at that time.
    actor_name    text NOT NULL,
    -- An operationId, or an action in the console, such as api_token.created.
    action        text NOT NULL,
    -- The target of the action: a path or a name.
    target        text NOT NULL,
    ip            text NOT NULL,
    user_agent    text NOT NULL,
    request_id    text NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT audit_entries_actor_type_check CHECK (actor_type IN ('USER', 'TOKEN', 'SYSTEM'))
);
CREATE INDEX audit_entries_created_idx ON audit_entries (created_at);

-- +goose Down
DROP TABLE audit_entries;
ALTER TABLE api_tokens DROP COLUMN created_by;
DROP TABLE sessions;
DROP TABLE memberships;
DROP TABLE users;
