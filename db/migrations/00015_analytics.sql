-- Daily counts for analytics. A write that changes what is counted appends rows to
-- analytics_deltas in its transaction, and workers fold those into analytics_daily. A
-- reader adds up both tables in one snapshot, so its figures include every committed
-- write, folded or not. Sums commute: writers neither wait for each other nor lock.

-- +goose Up
-- The histogram bucket of a reply time. Bucket 0 holds less than 1 ms; bucket b holds
-- 1.05^(b-1) ms, inclusive, to 1.05^b ms.
-- +goose StatementBegin
CREATE FUNCTION reply_bucket(seconds double precision) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE WHEN seconds < 0.0005 THEN 0
                 ELSE 1 + floor(ln(greatest(1, seconds * 1000)) / ln(1.05::double precision)) END)::smallint
$$;
-- +goose StatementEnd

-- Changes of counts that are not in analytics_daily yet; n can be negative. No foreign
-- keys: rows are written with those that they count, and live for about a second.
CREATE TABLE analytics_deltas (
    workspace_id         uuid NOT NULL,
    seq                  bigint GENERATED ALWAYS AS IDENTITY,
    day                  date NOT NULL, -- in UTC
    -- Of the conversation; null if there is none.
    agent_id             uuid,
    channel_id           uuid,
    conversation_status  text,
    kind                 text NOT NULL,
    bucket               smallint NOT NULL DEFAULT 0, -- of replies, see reply_bucket
    n                    bigint NOT NULL,
    PRIMARY KEY (workspace_id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- Counts per day (in UTC) and group, once for each dimension by which they can be grouped:
-- agent, channel or status. The key is an id or a status, empty without a conversation.
CREATE TABLE analytics_daily (
    workspace_id  uuid NOT NULL,
    dimension     text COLLATE "C" NOT NULL, -- sorted by bytes, which is faster
    day           date NOT NULL,
    key           text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    bucket        smallint NOT NULL,
    n             bigint NOT NULL,
    PRIMARY KEY (workspace_id, dimension, day, key, kind, bucket),
    CONSTRAINT analytics_daily_dimension_check CHECK (dimension IN ('agent', 'channel', 'status'))
) WITH (fillfactor = 70);

-- For the facts of one conversation.
CREATE INDEX conversation_status_changes_conversation_idx ON conversation_status_changes (workspace_id, conversation_id);
CREATE INDEX leads_conversation_idx ON leads (workspace_id, conversation_id) WHERE conversation_id IS NOT NULL;

-- Everything that analytics count, one row each. made_id orders the facts of source
-- conversation and lead by time; the others are ordered by at.
CREATE VIEW analytics_facts AS
SELECT 'conversation' AS source, conversations.workspace_id, conversations.id AS conversation_id, conversations.id AS made_id,
    conversations.created_at AS at, conversations.agent_id, conversations.channel_id, conversations.status AS conversation_status,
    'opened' AS kind, 0::smallint AS bucket
FROM conversations
UNION ALL
SELECT 'change', changes.workspace_id, changes.conversation_id, NULL::uuid, changes.changed_at,
    conversations.agent_id, conversations.channel_id, conversations.status, changes.to_status, 0::smallint
FROM conversation_status_changes AS changes
JOIN conversations ON conversations.workspace_id = changes.workspace_id AND conversations.id = changes.conversation_id
WHERE changes.to_status IN ('CLOSED', 'HANDED_OFF')
UNION ALL
SELECT 'reply', conversations.workspace_id, conversations.id, NULL::uuid, conversations.first_operator_reply_at,
    conversations.agent_id, conversations.channel_id, conversations.status, 'reply',
    reply_bucket(extract(epoch FROM conversations.first_operator_reply_at - conversations.handed_off_at)::double precision)
FROM conversations
WHERE conversations.first_operator_reply_at IS NOT NULL AND conversations.handed_off_at IS NOT NULL
UNION ALL
SELECT 'lead', leads.workspace_id, leads.conversation_id, leads.id, leads.created_at,
    conversations.agent_id, conversations.channel_id, conversations.status, 'lead ' || leads.status, 0::smallint
FROM leads
LEFT JOIN conversations ON conversations.workspace_id = leads.workspace_id AND conversations.id = leads.conversation_id;

-- Counts a lead in a stage n times more. A conversation's facts move with its status, so
-- its row is locked until the transaction ends, against a concurrent change of it.
-- +goose StatementBegin
CREATE FUNCTION count_lead(of_workspace_id uuid, of_conversation_id uuid, made_at timestamptz, stage text, n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    conversation  record;
BEGIN
    SELECT agent_id, channel_id, status INTO conversation FROM conversations
    WHERE workspace_id = of_workspace_id AND id = of_conversation_id FOR SHARE;
    INSERT INTO analytics_deltas (workspace_id, day, agent_id, channel_id, conversation_status, kind, n)
    VALUES (of_workspace_id, (made_at AT TIME ZONE 'UTC')::date, conversation.agent_id, conversation.channel_id, conversation.status, 'lead ' || stage, n);
END
$$;
-- +goose StatementEnd

-- Folds up to max_rows deltas into the daily counts, and deletes counts that become 0.
-- Returns how many deltas remain, at most max_rows. Only one runs at a time, so that
-- MERGE meets no concurrent insert of a row that it inserts; others return 0.
-- +goose StatementBegin
CREATE FUNCTION fold_analytics(max_rows integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('analytics_daily')) THEN
        RETURN 0;
    END IF;
    WITH moved AS (
        DELETE FROM analytics_deltas WHERE ctid = ANY (ARRAY(SELECT ctid FROM analytics_deltas LIMIT max_rows FOR UPDATE SKIP LOCKED))
        RETURNING *
    )
    MERGE INTO analytics_daily AS daily
    USING (
        SELECT workspace_id, groups.dimension, day, coalesce(groups.key, '') AS key, kind, bucket, sum(n)::bigint AS n
        FROM moved
        CROSS JOIN LATERAL (VALUES ('agent', agent_id::text), ('channel', channel_id::text), ('status', conversation_status)) AS groups (dimension, key)
        GROUP BY 1, 2, 3, 4, 5, 6
        HAVING sum(n) <> 0
    ) AS delta
    ON daily.workspace_id = delta.workspace_id AND daily.dimension = delta.dimension AND daily.day = delta.day
        AND daily.key = delta.key AND daily.kind = delta.kind AND daily.bucket = delta.bucket
    WHEN MATCHED AND daily.n + delta.n = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET n = daily.n + delta.n
    WHEN NOT MATCHED THEN INSERT (workspace_id, dimension, day, key, kind, bucket, n)
        VALUES (delta.workspace_id, delta.dimension, delta.day, delta.key, delta.kind, delta.bucket, delta.n);
    RETURN (SELECT count(*) FROM (SELECT FROM analytics_deltas LIMIT max_rows) AS remaining);
END
$$;
-- +goose StatementEnd

-- Counts everything again from the rows themselves, while writes wait: for rows that were
-- loaded or changed by hand.
-- +goose StatementBegin
CREATE FUNCTION rebuild_analytics() RETURNS void LANGUAGE plpgsql AS $$
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

SELECT rebuild_analytics();

-- +goose Down
DROP FUNCTION rebuild_analytics;
DROP FUNCTION fold_analytics;
DROP FUNCTION count_lead;
DROP VIEW analytics_facts;
DROP INDEX leads_conversation_idx;
DROP INDEX conversation_status_changes_conversation_idx;
DROP TABLE analytics_daily;
DROP TABLE analytics_deltas;
DROP FUNCTION reply_bucket;
