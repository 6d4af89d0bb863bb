-- +goose Up
CREATE TABLE idempotency_keys (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    key           text NOT NULL,
    -- SHA-256 over method, path, query and body of the request.
    fingerprint   bytea NOT NULL,
    status        integer NOT NULL,
    header        jsonb NOT NULL,
    body          bytea NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- +goose Down
DROP TABLE idempotency_keys;
