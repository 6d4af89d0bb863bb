-- +goose Up
CREATE TABLE agents (
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    id              uuid NOT NULL,
    name            text NOT NULL,
    status          text NOT NULL,
    system_prompt   text NOT NULL DEFAULT '',
    model_provider  text NOT NULL,
    model_name      text NOT NULL,
    temperature     double precision NOT NULL,
    max_tokens      integer NOT NULL,
    created_at      timestamptz(3) NOT NULL,
    updated_at      timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT agents_status_check CHECK (status IN ('DRAFT', 'PUBLISHED', 'ARCHIVED'))
);

CREATE TABLE channels (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    type          text NOT NULL,
    name          text NOT NULL,
    agent_id      uuid,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT channels_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id),
    CONSTRAINT channels_type_check CHECK (type IN ('WEBSITE', 'TELEGRAM', 'WHATSAPP', 'MESSENGER', 'VIBER',
        'EMAIL', 'SLACK', 'DISCORD', 'SMS', 'VOICE'))
);

-- +goose Down
DROP TABLE channels;
DROP TABLE agents;
