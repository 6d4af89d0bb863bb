-- Channels that connect to providers, contacts with identities in them, and messages that
-- are received and sent.

-- +goose Up
-- Every channel has an agent: conversations begin with it.
UPDATE channels SET agent_id = (
    SELECT agents.id FROM agents WHERE agents.workspace_id = channels.workspace_id ORDER BY agents.id LIMIT 1
) WHERE agent_id IS NULL;
ALTER TABLE channels
    ALTER COLUMN agent_id SET NOT NULL,
    ADD COLUMN status         text NOT NULL DEFAULT 'CONNECTED',
    -- Settings of the type, without secrets; see the schema ChannelConfig.
    ADD COLUMN config         jsonb NOT NULL DEFAULT '{}',
    -- A JSON object of texts, encrypted with the operator's key (see internal/platform/seal);
    -- null if there are none.
    ADD COLUMN credentials    bytea,
    -- Where the provider's API is; null for the provider's own.
    ADD COLUMN api_base_url   text,
    -- Who the credentials belong to at the provider, as of the latest check.
    ADD COLUMN account        text,
    ADD COLUMN error_code     text,
    ADD COLUMN error_message  text,
    ADD COLUMN error_at       timestamptz(3),
    -- Failed sends since the last success.
    ADD COLUMN failures       integer NOT NULL DEFAULT 0,
    -- Nothing is sent before: the rate limit of the channel, or the provider's Retry-After.
    ADD COLUMN next_send_at   timestamptz(3),
    -- What a connection keeps, such as the position in a mailbox.
    ADD COLUMN state          jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN updated_at     timestamptz(3),
    -- A deleted channel stays for its conversations, without credentials.
    ADD COLUMN deleted_at     timestamptz(3),
    ADD CONSTRAINT channels_status_check CHECK (status IN ('CONNECTED', 'ERROR', 'DISABLED'));
UPDATE channels SET updated_at = created_at;
ALTER TABLE channels ALTER COLUMN updated_at SET NOT NULL, ALTER COLUMN updated_at SET DEFAULT now();
-- A request to a channel's hook names the channel only.
CREATE INDEX channels_id_idx ON channels (id);

ALTER TABLE operators ADD COLUMN user_id uuid REFERENCES users (id);
CREATE UNIQUE INDEX operators_user_key ON operators (workspace_id, user_id);

ALTER TABLE contacts
    ADD COLUMN updated_at  timestamptz(3),
    -- The person asked to be forgotten: nothing about them is left.
    ADD COLUMN erased_at   timestamptz(3);
UPDATE contacts SET updated_at = created_at;
ALTER TABLE contacts ALTER COLUMN updated_at SET NOT NULL, ALTER COLUMN updated_at SET DEFAULT now();
CREATE INDEX contacts_email_idx ON contacts (workspace_id, lower(email)) WHERE email IS NOT NULL;
CREATE INDEX contacts_phone_idx ON contacts (workspace_id, phone) WHERE phone IS NOT NULL;
-- For names that begin with a text.
CREATE INDEX contacts_name_idx ON contacts (workspace_id, lower(name) text_pattern_ops) WHERE name IS NOT NULL;

-- How a contact is known to a channel: a chat, an address, a phone number. A contact can
-- have several.
CREATE TABLE contact_identities (
    workspace_id   uuid NOT NULL,
    channel_id     uuid NOT NULL,
    external_id    text NOT NULL,
    contact_id     uuid NOT NULL,
    -- Whether the provider, or the customer's server, vouches for who it is.
    verified       boolean NOT NULL,
    -- What messages are sent to, if it is not external_id.
    address        text,
    name           text,
    -- Set while the contact has blocked the channel or opted out.
    blocked_at     timestamptz(3),
    created_at     timestamptz(3) NOT NULL,
    last_seen_at   timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, channel_id, external_id),
    CONSTRAINT contact_identities_channel_fkey FOREIGN KEY (workspace_id, channel_id) REFERENCES channels (workspace_id, id),
    CONSTRAINT contact_identities_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id)
);
CREATE INDEX contact_identities_contact_idx ON contact_identities (workspace_id, contact_id);

ALTER TABLE conversations
    -- The identity that messages are sent to; null for conversations without one.
    ADD COLUMN identity_external_id  text,
    -- The provider's thread, such as the root of an email or Slack thread.
    ADD COLUMN thread_external_id    text,
    ADD COLUMN subject               text,
    -- The last message of the contact: reply windows count from it.
    ADD COLUMN last_inbound_at       timestamptz(3),
    -- Incremented, under the lock of this row, by each change of the conversation or its
    -- messages. Streams resume from a revision and miss nothing.
    ADD COLUMN revision              bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT conversations_identity_fkey FOREIGN KEY (workspace_id, channel_id, identity_external_id)
        REFERENCES contact_identities (workspace_id, channel_id, external_id)
        ON DELETE SET NULL (identity_external_id);
CREATE INDEX conversations_identity_idx ON conversations (workspace_id, channel_id, identity_external_id, id)
    WHERE identity_external_id IS NOT NULL;
CREATE INDEX conversations_contact_idx ON conversations (workspace_id, contact_id, id);
CREATE INDEX conversations_thread_idx ON conversations (workspace_id, channel_id, thread_external_id, id)
    WHERE thread_external_id IS NOT NULL;

ALTER TABLE messages
    -- The provider's ID, once it is known.
    ADD COLUMN external_id        text,
    -- The ID that the widget chose, so that it can repeat a request.
    ADD COLUMN client_message_id  text,
    ADD COLUMN reply_to_id        uuid,
    -- The revision of the conversation at the latest change of this message.
    ADD COLUMN revision           bigint NOT NULL DEFAULT 0,
    -- Attempts to send, oldest first: [{at, outcome, code, detail, durationMs}].
    ADD COLUMN attempts           jsonb NOT NULL DEFAULT '[]',
    -- Why it could not be delivered: a code of ours, a text, and the provider's own code.
    ADD COLUMN error_code         text,
    ADD COLUMN error_message      text,
    ADD COLUMN provider_code      text,
    ADD COLUMN edited_at          timestamptz(3),
    -- The content was removed: by its author, or with the contact.
    ADD COLUMN redacted_at        timestamptz(3),
    DROP CONSTRAINT messages_delivery_status_check,
    ADD CONSTRAINT messages_delivery_status_check CHECK (
        delivery_status IN ('RECEIVED', 'QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED', 'UNCONFIRMED'));
CREATE INDEX messages_revision_idx ON messages (workspace_id, conversation_id, revision);
-- What a contact wrote, in any conversation.
CREATE INDEX messages_contact_idx ON messages (workspace_id, contact_id) WHERE contact_id IS NOT NULL;

-- The provider's IDs of messages, of both directions: what was received is not stored
-- twice, and a delivery report finds its message. A long message can have several.
CREATE TABLE message_external_ids (
    workspace_id  uuid NOT NULL,
    channel_id    uuid NOT NULL,
    external_id   text NOT NULL,
    message_id    uuid NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, channel_id, external_id),
    CONSTRAINT message_external_ids_message_fkey FOREIGN KEY (workspace_id, message_id)
        REFERENCES messages (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX message_external_ids_message_idx ON message_external_ids (workspace_id, message_id);

-- Messages to send. A row is there until the outcome is final.
CREATE TABLE outbound_messages (
    workspace_id     uuid NOT NULL,
    message_id       uuid NOT NULL,
    channel_id       uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    next_attempt_at  timestamptz(3) NOT NULL,
    -- Set before the provider is called. A row whose lease has ended was orphaned by a
    -- crash: the message may have been sent.
    leased_until     timestamptz(3),
    tries            integer NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, message_id),
    CONSTRAINT outbound_messages_message_fkey FOREIGN KEY (workspace_id, message_id)
        REFERENCES messages (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT outbound_messages_channel_fkey FOREIGN KEY (workspace_id, channel_id) REFERENCES channels (workspace_id, id)
) WITH (fillfactor = 70);
-- The order within a conversation, and what is due on a channel.
CREATE INDEX outbound_messages_conversation_idx ON outbound_messages (workspace_id, conversation_id, message_id);
CREATE INDEX outbound_messages_due_idx ON outbound_messages (workspace_id, channel_id, next_attempt_at);

CREATE TABLE attachments (
    workspace_id  uuid NOT NULL,
    id            uuid NOT NULL,
    message_id    uuid NOT NULL,
    type          text NOT NULL,
    name          text,
    content_type  text,
    size_bytes    bigint,
    -- PENDING until it is fetched from the provider.
    state         text NOT NULL,
    -- The file at the provider, while it is PENDING.
    external_id   text,
    -- The key of the file in the storage, once STORED.
    blob_key      text,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT attachments_message_fkey FOREIGN KEY (workspace_id, message_id)
        REFERENCES messages (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT attachments_type_check CHECK (type IN ('IMAGE', 'AUDIO', 'VIDEO', 'FILE')),
    CONSTRAINT attachments_state_check CHECK (state IN ('PENDING', 'STORED', 'FAILED')),
    CONSTRAINT attachments_stored_check CHECK (state <> 'STORED' OR (blob_key IS NOT NULL AND content_type IS NOT NULL AND size_bytes IS NOT NULL))
);
CREATE INDEX attachments_message_idx ON attachments (workspace_id, message_id);
CREATE INDEX attachments_pending_idx ON attachments (workspace_id, id) WHERE state = 'PENDING';

-- Whether the data of an event is about a contact, or one of the contact's conversations.
-- +goose StatementBegin
CREATE FUNCTION event_is_about(data json, contact text, conversations text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(data -> 'conversation' -> 'contact' ->> 'id' = contact, false) OR coalesce(data -> 'contact' ->> 'id' = contact, false)
        OR coalesce(data -> 'message' -> 'author' ->> 'id' = contact, false)
        OR coalesce(data ->> 'conversationId' = ANY(conversations), false)
        OR coalesce(data -> 'lead' ->> 'conversationId' = ANY(conversations), false)
$$;
-- +goose StatementEnd

-- The data of an event without the person that it is about, still as its schema demands.
-- +goose StatementBegin
CREATE FUNCTION redacted_event(type text, data json, moment text) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE
        WHEN type LIKE 'lead.%' THEN jsonb_set(data::jsonb, '{lead,fields}', '{"name": ""}')
        WHEN type LIKE 'contact.%' THEN jsonb_set(data::jsonb, '{contact}', (data -> 'contact')::jsonb || '{"name": null, "email": null, "phone": null}')
        WHEN type LIKE 'message.%' THEN jsonb_set(jsonb_set(data::jsonb, '{message,content}', '""'), '{message,redactedAt}', to_jsonb(moment))
            #- '{message,attachments}' #- '{message,externalId}' #- '{message,clientMessageId}'
        ELSE jsonb_set(data::jsonb, '{conversation,contact}', (data -> 'conversation' -> 'contact')::jsonb || '{"name": null, "email": null, "phone": null}') - 'reason'
    END)::json
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION redacted_event;
DROP FUNCTION event_is_about;
DROP TABLE attachments;
DROP TABLE outbound_messages;
DROP TABLE message_external_ids;
DROP INDEX messages_contact_idx;
DROP INDEX messages_revision_idx;
ALTER TABLE messages
    DROP COLUMN external_id, DROP COLUMN client_message_id, DROP COLUMN reply_to_id, DROP COLUMN revision, DROP COLUMN attempts,
    DROP COLUMN error_code, DROP COLUMN error_message, DROP COLUMN provider_code, DROP COLUMN edited_at, DROP COLUMN redacted_at,
    DROP CONSTRAINT messages_delivery_status_check;
UPDATE messages SET delivery_status = 'SENT' WHERE delivery_status = 'UNCONFIRMED';
ALTER TABLE messages ADD CONSTRAINT messages_delivery_status_check CHECK (
    delivery_status IN ('RECEIVED', 'QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED'));
DROP INDEX conversations_thread_idx;
DROP INDEX conversations_contact_idx;
DROP INDEX conversations_identity_idx;
ALTER TABLE conversations
    DROP CONSTRAINT conversations_identity_fkey,
    DROP COLUMN identity_external_id, DROP COLUMN thread_external_id, DROP COLUMN subject, DROP COLUMN last_inbound_at, DROP COLUMN revision;
DROP TABLE contact_identities;
DROP INDEX contacts_name_idx;
DROP INDEX contacts_phone_idx;
DROP INDEX contacts_email_idx;
ALTER TABLE contacts DROP COLUMN updated_at, DROP COLUMN erased_at;
DROP INDEX operators_user_key;
ALTER TABLE operators DROP COLUMN user_id;
DROP INDEX channels_id_idx;
ALTER TABLE channels
    DROP CONSTRAINT channels_status_check,
    DROP COLUMN status, DROP COLUMN config, DROP COLUMN credentials, DROP COLUMN api_base_url, DROP COLUMN account, DROP COLUMN error_code,
    DROP COLUMN error_message, DROP COLUMN error_at, DROP COLUMN failures, DROP COLUMN next_send_at, DROP COLUMN state,
    DROP COLUMN updated_at, DROP COLUMN deleted_at,
    ALTER COLUMN agent_id DROP NOT NULL;
