-- +goose Up
CREATE TABLE integrations (
    workspace_id                uuid NOT NULL REFERENCES workspaces (id),
    id                          uuid NOT NULL,
    type                        text NOT NULL,
    url                         text,
    events                      text[] NOT NULL,
    status                      text NOT NULL,
    -- Encrypted with the operator's key, see internal/platform/seal.
    secret                      bytea,
    previous_secret             bytea,
    previous_secret_expires_at  timestamptz(3),
    -- Set if temporary: nothing is sent to it.
    expires_at                  timestamptz(3),
    error_code                  text,
    error_message               text,
    error_at                    timestamptz(3),
    -- Failed attempts since the last success, and the time of the first one.
    failures                    integer NOT NULL DEFAULT 0,
    failing_since               timestamptz(3),
    paused_until                timestamptz(3),
    created_at                  timestamptz(3) NOT NULL,
    updated_at                  timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT integrations_type_check CHECK (type IN ('WEBHOOK', 'CRM', 'CALENDAR')),
    CONSTRAINT integrations_status_check CHECK (status IN ('CONNECTED', 'DISABLED', 'ERROR')),
    CONSTRAINT integrations_webhook_check CHECK (type <> 'WEBHOOK' OR url IS NOT NULL AND secret IS NOT NULL)
);

-- The number of each workspace's latest event. Its row is locked until the end of the
-- transaction, so that events become visible in the order of their numbers: a client that
-- polls the events after a number misses none.
CREATE TABLE event_counters (
    workspace_id  uuid PRIMARY KEY REFERENCES workspaces (id),
    latest        bigint NOT NULL
) WITH (fillfactor = 20);

CREATE TABLE events (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    sequence      bigint NOT NULL,
    id            uuid NOT NULL,
    type          text NOT NULL,
    data          json NOT NULL,
    occurred_at   timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, sequence)
);
-- For deleting old events; rows are stored in the order of time.
CREATE INDEX events_occurred_at_idx ON events USING brin (occurred_at);

CREATE TABLE webhook_deliveries (
    workspace_id     uuid NOT NULL,
    integration_id   uuid NOT NULL,
    id               uuid NOT NULL,
    -- Of events, in the same transaction. No foreign key, so that old events are deleted
    -- without a lookup in this table.
    event_sequence   bigint NOT NULL,
    status           text NOT NULL DEFAULT 'PENDING',
    next_attempt_at  timestamptz(3) NOT NULL,
    -- The end of the lease. Not in an index, so that a claim updates no index.
    leased_until     timestamptz(3),
    tries            integer NOT NULL DEFAULT 0,
    attempts         jsonb NOT NULL DEFAULT '[]',
    created_at       timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, integration_id, id),
    CONSTRAINT webhook_deliveries_integration_fkey FOREIGN KEY (workspace_id, integration_id)
        REFERENCES integrations (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED'))
) WITH (fillfactor = 60);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (workspace_id, integration_id, next_attempt_at) WHERE status = 'PENDING';
CREATE INDEX webhook_deliveries_created_at_idx ON webhook_deliveries USING brin (created_at);

-- A UUIDv7 (RFC 9562) of a time, for rows that are created by a statement.
-- +goose StatementBegin
CREATE FUNCTION uuid_v7(moment timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send((extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;
-- +goose StatementEnd

-- Numbers and stores events, and a delivery of each to every webhook subscribed to
-- it. One function, so that a change and its events can be one statement.
-- +goose StatementBegin
CREATE FUNCTION record_events(of_workspace_id uuid, ids uuid[], types text[], payloads text[], moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    count  integer := cardinality(ids);
    last   bigint;
BEGIN
    INSERT INTO event_counters AS counter (workspace_id, latest) VALUES (of_workspace_id, count)
    ON CONFLICT (workspace_id) DO UPDATE SET latest = counter.latest + count
    RETURNING latest INTO last;
    INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
    SELECT of_workspace_id, last - count + event.number, event.id, event.type, event.payload::json, moment
    FROM unnest(ids, types, payloads) WITH ORDINALITY AS event (id, type, payload, number);
    INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
    SELECT of_workspace_id, integrations.id, uuid_v7(moment), last - count + event.number, moment, moment
    FROM unnest(types) WITH ORDINALITY AS event (type, number)
    JOIN integrations ON integrations.workspace_id = of_workspace_id AND event.type = ANY(integrations.events)
        AND integrations.status <> 'DISABLED' AND integrations.expires_at IS NULL
        AND event.type <> 'webhook.ping'; -- goes to the webhook under test alone
    RETURN last;
END
$$;
-- +goose StatementEnd

-- Webhooks that have a delivery due. It skips through the index from webhook to webhook,
-- so that its cost does not depend on the number of queued deliveries.
-- +goose StatementBegin
CREATE FUNCTION due_webhooks(moment timestamptz) RETURNS TABLE (of_workspace uuid, webhook uuid) LANGUAGE plpgsql STABLE ROWS 10 AS $$
DECLARE
    due  record;
BEGIN
    SELECT workspace_id, integration_id, next_attempt_at INTO due FROM webhook_deliveries
    WHERE status = 'PENDING' ORDER BY workspace_id, integration_id, next_attempt_at LIMIT 1;
    WHILE due.integration_id IS NOT NULL LOOP
        IF due.next_attempt_at <= moment THEN
            of_workspace := due.workspace_id;
            webhook := due.integration_id;
            RETURN NEXT;
        END IF;
        SELECT workspace_id, integration_id, next_attempt_at INTO due FROM webhook_deliveries
        WHERE status = 'PENDING' AND (workspace_id, integration_id) > (due.workspace_id, due.integration_id)
        ORDER BY workspace_id, integration_id, next_attempt_at LIMIT 1;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION due_webhooks;
DROP FUNCTION record_events;
DROP FUNCTION uuid_v7;
DROP TABLE webhook_deliveries;
DROP TABLE events;
DROP TABLE event_counters;
DROP TABLE integrations;
