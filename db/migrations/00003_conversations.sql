-- +goose Up
CREATE TABLE operators (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    name          text NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE tags (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    name          text NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX tags_name_key ON tags (workspace_id, lower(name));

CREATE TABLE contacts (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    name          text,
    email         text,
    phone         text,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE conversations (
    workspace_id             uuid NOT NULL REFERENCES workspaces (id),
    id                       uuid NOT NULL,
    agent_id                 uuid NOT NULL,
    channel_id               uuid NOT NULL,
    contact_id               uuid NOT NULL,
    status                   text NOT NULL,
    sentiment                text,
    assigned_operator_id     uuid,
    last_message_at          timestamptz(3),
    -- The first hand-off and the first reply of an operator; analytics use the difference.
    handed_off_at            timestamptz(3),
    first_operator_reply_at  timestamptz(3),
    created_at               timestamptz(3) NOT NULL,
    updated_at               timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT conversations_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id),
    CONSTRAINT conversations_channel_fkey FOREIGN KEY (workspace_id, channel_id) REFERENCES channels (workspace_id, id),
    CONSTRAINT conversations_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id),
    CONSTRAINT conversations_operator_fkey FOREIGN KEY (workspace_id, assigned_operator_id)
        REFERENCES operators (workspace_id, id),
    CONSTRAINT conversations_status_check CHECK (status IN ('OPEN', 'HANDED_OFF', 'CLOSED')),
    CONSTRAINT conversations_sentiment_check CHECK (sentiment IN ('POSITIVE', 'NEUTRAL', 'NEGATIVE'))
);
CREATE INDEX conversations_status_idx ON conversations (workspace_id, status, id);
CREATE INDEX conversations_agent_idx ON conversations (workspace_id, agent_id, id);
CREATE INDEX conversations_channel_idx ON conversations (workspace_id, channel_id, id);
CREATE INDEX conversations_first_reply_idx ON conversations (workspace_id, first_operator_reply_at)
    WHERE first_operator_reply_at IS NOT NULL;

-- Each change of a status, including the first one, for analytics.
CREATE TABLE conversation_status_changes (
    workspace_id     uuid NOT NULL,
    seq              bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id  uuid NOT NULL,
    from_status      text,
    to_status        text NOT NULL,
    changed_at       timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, seq),
    CONSTRAINT conversation_status_changes_conversation_fkey FOREIGN KEY (workspace_id, conversation_id)
        REFERENCES conversations (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX conversation_status_changes_time_idx ON conversation_status_changes (workspace_id, changed_at);

CREATE TABLE conversation_tags (
    workspace_id     uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    tag_id           uuid NOT NULL,
    PRIMARY KEY (workspace_id, conversation_id, tag_id),
    CONSTRAINT conversation_tags_conversation_fkey FOREIGN KEY (workspace_id, conversation_id)
        REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT conversation_tags_tag_fkey FOREIGN KEY (workspace_id, tag_id) REFERENCES tags (workspace_id, id)
);
CREATE INDEX conversation_tags_tag_idx ON conversation_tags (workspace_id, tag_id, conversation_id);

CREATE TABLE messages (
    workspace_id     uuid NOT NULL,
    id               uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    role             text NOT NULL,
    content          text NOT NULL,
    author_type      text NOT NULL,
    -- One of the three, as author_type says; none for an operator's message that
    -- an API token sent in an unassigned conversation.
    contact_id       uuid,
    agent_id         uuid,
    operator_id      uuid,
    delivery_status  text NOT NULL,
    created_at       timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT messages_conversation_fkey FOREIGN KEY (workspace_id, conversation_id)
        REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT messages_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id),
    CONSTRAINT messages_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id),
    CONSTRAINT messages_operator_fkey FOREIGN KEY (workspace_id, operator_id) REFERENCES operators (workspace_id, id),
    CONSTRAINT messages_role_check CHECK (role IN ('USER', 'ASSISTANT')),
    CONSTRAINT messages_author_check CHECK (
        (author_type = 'CONTACT' AND role = 'USER' AND contact_id IS NOT NULL AND num_nonnulls(agent_id, operator_id) = 0)
        OR (author_type = 'AGENT' AND role = 'ASSISTANT' AND agent_id IS NOT NULL AND num_nonnulls(contact_id, operator_id) = 0)
        OR (author_type = 'OPERATOR' AND role = 'ASSISTANT' AND num_nonnulls(contact_id, agent_id) = 0)),
    CONSTRAINT messages_delivery_status_check CHECK (
        delivery_status IN ('RECEIVED', 'QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED'))
);
CREATE INDEX messages_conversation_idx ON messages (workspace_id, conversation_id, id);

-- +goose Down
DROP TABLE messages;
DROP TABLE conversation_tags;
DROP TABLE conversation_status_changes;
DROP TABLE conversations;
DROP TABLE contacts;
DROP TABLE tags;
DROP TABLE operators;
