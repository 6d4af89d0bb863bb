-- +goose Up
-- A batch has as many events of a workspace as there is room for what follows from them. It
-- had as many as if all webhooks were subscribed to each, and numbered twelve at a time for a
-- workspace with 80 webhooks.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sequence_events(most_rows integer, most_workspaces integer, after_workspace uuid)
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
    WITH subscriptions AS (
        SELECT DISTINCT integrations.workspace_id, integrations.id, event_type
        FROM integrations CROSS JOIN LATERAL unnest(integrations.events) AS event_type
        WHERE integrations.workspace_id = ANY (held) AND integrations.status <> 'DISABLED' AND integrations.expires_at IS NULL
    ),
    subscribed AS (
        SELECT subscriptions.workspace_id, subscriptions.event_type, count(*) AS webhooks FROM subscriptions GROUP BY 1, 2
    ),
    candidates AS (
        SELECT first.ctid AS place, first.rows_before, first.rows_before + first.rows_after > most_rows / cardinality(held) AS beyond
        FROM unnest(held) AS one CROSS JOIN LATERAL (
            SELECT ctid, coalesce(sum(1 + webhooks) OVER before, 0) AS rows_before, 1 + webhooks AS rows_after
            FROM (
                SELECT oldest.ctid, oldest.seq, coalesce(subscribed.webhooks, 0) AS webhooks
                FROM (
                    SELECT event_outbox.ctid, event_outbox.seq, event_outbox.type FROM event_outbox
                    WHERE event_outbox.workspace_id = one ORDER BY event_outbox.seq LIMIT most_rows / cardinality(held) + 1
                ) AS oldest
                LEFT JOIN subscribed ON subscribed.workspace_id = one AND subscribed.event_type = oldest.type
            ) AS counted
            WINDOW before AS (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ) AS first
    ),
    taken AS (
        DELETE FROM event_outbox WHERE ctid = ANY (ARRAY(SELECT place FROM candidates WHERE rows_before = 0 OR NOT beyond))
        RETURNING *
    ),
    batch AS (
        SELECT taken.*, counters.latest + row_number() OVER (PARTITION BY taken.workspace_id ORDER BY taken.seq) AS sequence
        FROM taken JOIN event_counters AS counters ON counters.workspace_id = taken.workspace_id
    ),
    counters AS (
        UPDATE event_counters SET latest = ends.latest
        FROM (SELECT workspace_id, max(sequence) AS latest FROM batch GROUP BY workspace_id) AS ends
        WHERE event_counters.workspace_id = ends.workspace_id
    ),
    stored AS (
        INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
        SELECT workspace_id, sequence, id, type, data, occurred_at FROM batch
    ),
    deliveries AS (
        INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
        SELECT batch.workspace_id, subscriptions.id, uuid_v7(batch.occurred_at), batch.sequence, batch.occurred_at, batch.occurred_at
        FROM batch JOIN subscriptions ON subscriptions.workspace_id = batch.workspace_id AND subscriptions.event_type = batch.type
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
        cardinality(held) < cardinality(waiting) OR EXISTS (SELECT FROM candidates WHERE beyond)
    INTO numbered, delivered, more;
    RETURN NEXT;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sequence_events(most_rows integer, most_workspaces integer, after_workspace uuid)
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
