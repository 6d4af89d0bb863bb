-- name: AnalyticsFigures :many
-- The figures of a time span per bucket, and per bucket and group. group_key is unused in
-- rows where is_total is true, and otherwise empty for rows without a group. One statement,
-- so that all figures are of one snapshot.
-- granularity is day, week, month, or span for a single bucket; group_by is agent, channel,
-- status or none. first_id and end_id are the bounds of the span as UUIDs.
WITH facts AS (
    SELECT conversations.id AS conversation_id, conversations.created_at AS at, 'opened' AS kind, NULL::double precision AS seconds
    FROM conversations
    WHERE conversations.workspace_id = @workspace_id AND conversations.id >= @first_id AND conversations.id < @end_id
    UNION ALL
    SELECT conversation_id, changed_at, to_status, NULL
    FROM conversation_status_changes
    WHERE conversation_status_changes.workspace_id = @workspace_id
      AND changed_at >= @span_from AND changed_at < @span_to
      AND to_status IN ('CLOSED', 'HANDED_OFF')
    UNION ALL
    SELECT conversations.id, first_operator_reply_at, 'reply', greatest(0, extract(epoch FROM first_operator_reply_at - handed_off_at))
    FROM conversations
    WHERE conversations.workspace_id = @workspace_id AND handed_off_at IS NOT NULL
      AND first_operator_reply_at >= @span_from AND first_operator_reply_at < @span_to
    UNION ALL
    SELECT leads.conversation_id, leads.created_at, 'lead ' || leads.status, NULL
    FROM leads
    WHERE leads.workspace_id = @workspace_id AND leads.id >= @first_id AND leads.id < @end_id
),
keyed AS (
    SELECT
        (CASE WHEN @granularity::text = 'span' THEN @span_from::timestamptz
              ELSE date_trunc(@granularity, facts.at, 'UTC') END)::timestamptz AS bucket,
        CASE @group_by::text
            WHEN 'agent' THEN conversations.agent_id::text
            WHEN 'channel' THEN conversations.channel_id::text
            WHEN 'status' THEN conversations.status
        END AS group_key,
        facts.kind, facts.seconds
    FROM facts
    LEFT JOIN conversations ON @group_by <> 'none'
      AND conversations.workspace_id = @workspace_id AND conversations.id = facts.conversation_id
)
SELECT
    bucket::timestamptz AS bucket,
    (grouping(group_key) = 1)::boolean AS is_total,
    coalesce(group_key, '')::text AS group_key,
    count(*) FILTER (WHERE kind = 'opened') AS opened,
    count(*) FILTER (WHERE kind = 'CLOSED') AS closed,
    count(*) FILTER (WHERE kind = 'HANDED_OFF') AS handed_off,
    count(*) FILTER (WHERE kind = 'lead NEW') AS leads_new,
    count(*) FILTER (WHERE kind = 'lead QUALIFIED') AS leads_qualified,
    count(*) FILTER (WHERE kind = 'lead CONTACTED') AS leads_contacted,
    count(*) FILTER (WHERE kind = 'lead WON') AS leads_won,
    count(*) FILTER (WHERE kind = 'lead LOST') AS leads_lost,
    -- -1 where there was no reply: a null would not fit the aggregate's type here.
    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE kind = 'reply'), -1)::double precision AS median_reply_seconds
FROM keyed
GROUP BY GROUPING SETS ((bucket), (bucket, group_key))
ORDER BY bucket;

-- name: AnalyticsGroupNames :many
-- The names of the workspace's agents and channels, by id.
SELECT id::text AS key, name FROM agents WHERE agents.workspace_id = @workspace_id AND id::text = ANY(@keys::text[])
UNION ALL
SELECT id::text, name FROM channels WHERE channels.workspace_id = @workspace_id AND id::text = ANY(@keys::text[]);
