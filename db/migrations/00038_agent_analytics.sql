-- What agents achieve and cost, in the daily counts. A run is counted when it ends, by kinds that
-- begin with "run": its outcome, its cost in millionths, and the time to a reply as a histogram
-- (see reply_bucket). A conversation is deflected if its agent has answered and it was not handed
-- off so far; it counts on the day of the first answer.

-- +goose Up
ALTER TABLE conversations ADD COLUMN first_answered_at timestamptz(3);

-- Everything that analytics count, one row each. made_id orders the facts of source
-- conversation and lead by time; the others are ordered by at.
CREATE OR REPLACE VIEW analytics_facts AS
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
LEFT JOIN conversations ON conversations.workspace_id = leads.workspace_id AND conversations.id = leads.conversation_id
UNION ALL
SELECT 'answer', conversations.workspace_id, conversations.id, NULL::uuid, conversations.first_answered_at,
    conversations.agent_id, conversations.channel_id, conversations.status, 'deflected', 0::smallint
FROM conversations
WHERE conversations.first_answered_at IS NOT NULL AND conversations.handed_off_at IS NULL;

-- Counts everything again from the rows themselves, while writes and sequence_events wait:
-- for rows that were loaded or changed by hand. Counts of runs stay: runs are not kept as long.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION rebuild_analytics() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE conversations, conversation_status_changes, leads IN SHARE MODE;
    LOCK TABLE event_outbox IN SHARE ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(hashtext('analytics_daily'));
    DELETE FROM analytics_deltas WHERE kind NOT LIKE 'run %';
    UPDATE event_outbox SET counts_as = NULL WHERE counts_as IS NOT NULL;
    DELETE FROM analytics_daily WHERE kind NOT LIKE 'run %';
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
DELETE FROM analytics_deltas WHERE kind LIKE 'run %' OR kind = 'deflected';
DELETE FROM analytics_daily WHERE kind LIKE 'run %' OR kind = 'deflected';
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

CREATE OR REPLACE VIEW analytics_facts AS
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
ALTER TABLE conversations DROP COLUMN first_answered_at;
