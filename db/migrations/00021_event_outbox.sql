-- A change stores its events in event_outbox, without a number, and nothing else about
-- them. sequence_events numbers them in batches and derives what follows: deliveries to
-- webhooks, audit entries and counts.

-- +goose Up
CREATE SEQUENCE event_outbox_seq;

-- Events without a number. No foreign keys: rows are written with those that they
-- describe, and live for some milliseconds.
CREATE TABLE event_outbox (
    workspace_id  uuid NOT NULL,
    -- Assigned while the change holds its row locks. Of two changes of the same lead or
    -- conversation, the first to be committed has the lower one, also if clocks differ.
    seq           bigint NOT NULL DEFAULT nextval('event_outbox_seq'),
    id            uuid NOT NULL,
    type          text NOT NULL,
    data          json NOT NULL,
    occurred_at   timestamptz(3) NOT NULL,
    -- The kind of analytics_deltas in which the event counts as one, on its day. Null if
    -- the change has counted itself.
    counts_as     text,
    -- The audit entry of the request that made the change, with the id and the time of the
    -- event. Null if the change has recorded it itself.
    action        text,
    actor_id      uuid,
    target        text,
    ip            text,
    user_agent    text,
    request_id    text,
    PRIMARY KEY (workspace_id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

DROP FUNCTION record_events;

-- An event has the number of a counter, which belongs to a workspace.
ALTER TABLE events DROP CONSTRAINT events_workspace_id_fkey;

-- Numbers events of up to most_workspaces workspaces that come after a workspace. Of each
-- it takes at least one event, and at most its share of most_rows; an event counts as a
-- row, and once more for each webhook of its workspace.
--
-- A row of event_counters, the number of the workspace's latest event, is locked until the
-- events are committed, so events become visible in the order of their numbers: a client
-- that reads on from a number misses none. Workspaces that another session has locked are
-- skipped. The locks last as long as this statement, so a client that dies or stops
-- delays no one.
--
-- Returns how many events it has numbered and how many deliveries it has created, the
-- workspace to continue after (the nil UUID to start again), and whether it has left
-- events that were there.
-- +goose StatementBegin
CREATE FUNCTION sequence_events(most_rows integer, most_workspaces integer, after_workspace uuid)
RETURNS TABLE (numbered integer, delivered integer, last_workspace uuid, more boolean) LANGUAGE plpgsql
-- One plan by the indexes suits all batches, and planning costs more than a small one.
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    waiting  uuid[];
    held     uuid[];
    hooks    uuid[];
BEGIN
    -- It skips through the index from workspace to workspace.
    WITH RECURSIVE found (workspace_id, n) AS (
        (SELECT event_outbox.workspace_id, 1 FROM event_outbox WHERE event_outbox.workspace_id > after_workspace ORDER BY event_outbox.workspace_id LIMIT 1)
        UNION ALL
        SELECT following.workspace_id, found.n + 1 FROM found
        CROSS JOIN LATERAL (
            SELECT event_outbox.workspace_id FROM event_outbox WHERE event_outbox.workspace_id > found.workspace_id ORDER BY event_outbox.workspace_id LIMIT 1
        ) AS following
        WHERE found.n < most_workspaces
    )
    SELECT array_agg(found.workspace_id ORDER BY found.n) INTO waiting FROM found;
    last_workspace := coalesce(waiting[most_workspaces], '00000000-0000-0000-0000-000000000000');
    IF waiting IS NULL THEN
        RETURN QUERY SELECT 0, 0, last_workspace, false;
        RETURN;
    END IF;

    INSERT INTO event_counters (workspace_id, latest)
    SELECT workspaces.id, 0 FROM workspaces
    WHERE workspaces.id = ANY (waiting) AND NOT EXISTS (SELECT FROM event_counters WHERE event_counters.workspace_id = workspaces.id)
    ON CONFLICT DO NOTHING;
    held := ARRAY(SELECT event_counters.workspace_id FROM event_counters WHERE event_counters.workspace_id = ANY (waiting) FOR NO KEY UPDATE SKIP LOCKED);
    -- Webhooks stay until their deliveries are committed. One that is being deleted keeps
    -- its own workspace waiting, and no other.
    hooks := ARRAY(SELECT id FROM integrations WHERE workspace_id = ANY (held) AND status <> 'DISABLED' AND expires_at IS NULL FOR KEY SHARE SKIP LOCKED);
    held := ARRAY(SELECT one FROM unnest(held) AS one WHERE NOT EXISTS (
        SELECT FROM integrations WHERE workspace_id = one AND status <> 'DISABLED' AND expires_at IS NULL AND id <> ALL (hooks)));
    IF cardinality(held) = 0 THEN
        RETURN QUERY SELECT 0, 0, last_workspace, true;
        RETURN;
    END IF;

    -- Each statement of the function sees what is committed when it begins: this one sees
    -- what the previous holders of the locks have done.
    WITH shares AS (
        SELECT one AS workspace_id, greatest(1, most_rows / cardinality(held) / (1 + (
            SELECT count(*) FROM integrations WHERE workspace_id = one AND status <> 'DISABLED' AND expires_at IS NULL))) AS size
        FROM unnest(held) AS one
    ),
    taken AS (
        DELETE FROM event_outbox WHERE ctid = ANY (ARRAY(
            SELECT first.ctid FROM shares
            CROSS JOIN LATERAL (SELECT ctid FROM event_outbox WHERE workspace_id = shares.workspace_id ORDER BY seq LIMIT shares.size) AS first))
        RETURNING *
    ),
    batch AS (
        SELECT taken.*, counters.latest + row_number() OVER (PARTITION BY taken.workspace_id ORDER BY taken.seq) AS sequence
        FROM taken JOIN event_counters AS counters ON counters.workspace_id = taken.workspace_id
    ),
    counters AS (
        UPDATE event_counters SET latest = ends.latest
        FROM (SELECT workspace_id, max(sequence) AS latest, count(*) AS size FROM batch GROUP BY workspace_id) AS ends
        WHERE event_counters.workspace_id = ends.workspace_id
        RETURNING ends.workspace_id, ends.size
    ),
    stored AS (
        INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
        SELECT workspace_id, sequence, id, type, data, occurred_at FROM batch
    ),
    deliveries AS (
        INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
        SELECT batch.workspace_id, integrations.id, uuid_v7(batch.occurred_at), batch.sequence, batch.occurred_at, batch.occurred_at
        FROM batch JOIN integrations ON integrations.workspace_id = batch.workspace_id AND batch.type = ANY (integrations.events)
            AND integrations.status <> 'DISABLED' AND integrations.expires_at IS NULL
        RETURNING 1
    ),
    audited AS (
        INSERT INTO audit_entries (workspace_id, id, actor_type, actor_id, actor_name, action, target, ip, user_agent, request_id, created_at)
        SELECT batch.workspace_id, batch.id, 'TOKEN', batch.actor_id, coalesce(api_tokens.name || ' (convo_…' || api_tokens.last_four || ')', ''),
            batch.action, batch.target, batch.ip, batch.user_agent, batch.request_id, batch.occurred_at
        FROM batch LEFT JOIN api_tokens ON api_tokens.workspace_id = batch.workspace_id AND api_tokens.id = batch.actor_id
        WHERE batch.action IS NOT NULL
    ),
    counted AS (
        INSERT INTO analytics_deltas (workspace_id, day, kind, n)
        SELECT workspace_id, (occurred_at AT TIME ZONE 'UTC')::date, counts_as, count(*) FROM batch
        WHERE counts_as IS NOT NULL GROUP BY 1, 2, 3
    )
    SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM deliveries),
        cardinality(held) < cardinality(waiting) OR EXISTS (SELECT FROM counters JOIN shares USING (workspace_id) WHERE counters.size >= shares.size)
    INTO numbered, delivered, more;
    RETURN NEXT;
END
$$;
-- +goose StatementEnd

-- The counts that are not in analytics_daily yet.
CREATE VIEW analytics_pending AS
SELECT workspace_id, day, agent_id, channel_id, conversation_status, kind, bucket, n FROM analytics_deltas
UNION ALL
SELECT workspace_id, (occurred_at AT TIME ZONE 'UTC')::date, NULL::uuid, NULL::uuid, NULL::text, counts_as, 0::smallint, 1::bigint
FROM event_outbox WHERE counts_as IS NOT NULL;

-- Counts everything again from the rows themselves, while writes and sequence_events wait:
-- for rows that were loaded or changed by hand.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION rebuild_analytics() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE conversations, conversation_status_changes, leads IN SHARE MODE;
    LOCK TABLE event_outbox IN SHARE ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(hashtext('analytics_daily'));
    DELETE FROM analytics_deltas;
    UPDATE event_outbox SET counts_as = NULL WHERE counts_as IS NOT NULL;
    DELETE FROM analytics_daily;
    INSERT INTO analytics_daily (workspace_id, dimension, day, key, kind, bucket, n)
    SELECT workspace_id, groups.dimension, day, coalesce(groups.key, ''), kind, bucket, sum(n)
    FROM (
        SELECT workspace_id, (at AT TIME ZONE 'UTC')::date AS day, agent_id, channel_id, conversation_status, kind, bucket, count(*) AS n
        FROM analytics_facts
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS counted
    CROSS JOIN LATERAL (VALUES ('agent', agent_id::text), ('channel', channel_id::text), ('status', conversation_status)) AS groups (dimension, key)
    GROUP BY 1, 2, 3, 4, 5, 6;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
BEGIN
    WHILE (SELECT sequenced.numbered > 0 FROM sequence_events(1000, 1000, '00000000-0000-0000-0000-000000000000') AS sequenced) LOOP
    END LOOP;
END
$$;
-- +goose StatementEnd
DROP FUNCTION sequence_events;
DROP VIEW analytics_pending;
DROP TABLE event_outbox;
DROP SEQUENCE event_outbox_seq;
ALTER TABLE events ADD CONSTRAINT events_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id);

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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION rebuild_analytics() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE conversations, conversation_status_changes, leads IN SHARE MODE;
    PERFORM pg_advisory_xact_lock(hashtext('analytics_daily'));
    DELETE FROM analytics_deltas;
    DELETE FROM analytics_daily;
    INSERT INTO analytics_daily (workspace_id, dimension, day, key, kind, bucket, n)
    SELECT workspace_id, groups.dimension, day, coalesce(groups.key, ''), kind, bucket, sum(n)
    FROM (
        SELECT workspace_id, (at AT TIME ZONE 'UTC')::date AS day, agent_id, channel_id, conversation_status, kind, bucket, count(*) AS n
        FROM analytics_facts
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS counted
    CROSS JOIN LATERAL (VALUES ('agent', agent_id::text), ('channel', channel_id::text), ('status', conversation_status)) AS groups (dimension, key)
    GROUP BY 1, 2, 3, 4, 5, 6;
END
$$;
-- +goose StatementEnd
