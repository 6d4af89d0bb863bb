-- name: AnalyticsFigures :many
-- The figures of a time span per bucket, and per bucket and group. group_key is unused in
-- rows where is_total is true, and otherwise empty for rows without a group. One statement,
-- so that all figures are of one snapshot. Whole days, from first_day to before end_day,
-- come from the daily counts and those that are not folded into them yet. The parts of days at
-- both ends of the span, head and tail, are counted from their rows.
-- granularity is day, week, month, or span for a single bucket; dimension is agent, channel
-- or status. The first and end ids are the bounds of head and tail as UUIDs. Times to the
-- first reply are a histogram, see reply_bucket.
WITH partial_days AS (
    SELECT at, agent_id, channel_id, conversation_status, kind, bucket
    FROM analytics_facts
    WHERE analytics_facts.workspace_id = @workspace_id AND source IN ('conversation', 'lead')
      AND (made_id >= @head_first_id::uuid AND made_id < @head_end_id::uuid OR made_id >= @tail_first_id::uuid AND made_id < @tail_end_id::uuid)
    UNION ALL
    SELECT at, agent_id, channel_id, conversation_status, kind, bucket
    FROM analytics_facts
    WHERE analytics_facts.workspace_id = @workspace_id AND source IN ('change', 'reply')
      AND (at >= @head_from::timestamptz AND at < @head_to::timestamptz OR at >= @tail_from::timestamptz AND at < @tail_to::timestamptz)
),
unfolded AS (
    SELECT day, agent_id, channel_id, conversation_status, kind, bucket, n
    FROM analytics_pending
    WHERE analytics_pending.workspace_id = @workspace_id AND day >= @first_day::date AND day < @end_day::date
    UNION ALL
    SELECT (at AT TIME ZONE 'UTC')::date, agent_id, channel_id, conversation_status, kind, bucket, 1
    FROM partial_days
),
counts AS (
    SELECT day, key, kind, bucket AS reply, n
    FROM analytics_daily
    WHERE analytics_daily.workspace_id = @workspace_id AND dimension = @dimension::text AND day >= @first_day::date AND day < @end_day::date
    UNION ALL
    SELECT day, coalesce(CASE @dimension::text WHEN 'agent' THEN agent_id::text WHEN 'channel' THEN channel_id::text ELSE conversation_status END, '') COLLATE "C",
        kind, bucket, n
    FROM unfolded
),
placed AS (
    SELECT (CASE WHEN @granularity::text = 'span' THEN @span_from::timestamptz
                 ELSE date_trunc(@granularity::text, day::timestamp) AT TIME ZONE 'UTC' END)::timestamptz AS bucket,
        key, kind, reply, n
    FROM counts
)
SELECT
    bucket::timestamptz AS bucket,
    (grouping(key) = 1)::boolean AS is_total,
    coalesce(key, '')::text AS group_key,
    coalesce(sum(n) FILTER (WHERE kind = 'opened'), 0)::bigint AS opened,
    coalesce(sum(n) FILTER (WHERE kind = 'CLOSED'), 0)::bigint AS closed,
    coalesce(sum(n) FILTER (WHERE kind = 'HANDED_OFF'), 0)::bigint AS handed_off,
    coalesce(sum(n) FILTER (WHERE kind = 'lead NEW'), 0)::bigint AS leads_new,
    coalesce(sum(n) FILTER (WHERE kind = 'lead QUALIFIED'), 0)::bigint AS leads_qualified,
    coalesce(sum(n) FILTER (WHERE kind = 'lead CONTACTED'), 0)::bigint AS leads_contacted,
    coalesce(sum(n) FILTER (WHERE kind = 'lead WON'), 0)::bigint AS leads_won,
    coalesce(sum(n) FILTER (WHERE kind = 'lead LOST'), 0)::bigint AS leads_lost,
    -- The histogram: buckets in any order, which may repeat, and their counts.
    coalesce(array_agg(reply) FILTER (WHERE kind = 'reply'), '{}')::smallint[] AS reply_buckets,
    coalesce(array_agg(n) FILTER (WHERE kind = 'reply'), '{}')::bigint[] AS reply_counts
FROM placed
GROUP BY GROUPING SETS ((bucket), (bucket, key))
ORDER BY bucket;

-- name: AnalyticsGroupNames :many
-- The names of the workspace's agents and channels, by id.
SELECT id::text AS key, name FROM agents WHERE agents.workspace_id = @workspace_id AND id = ANY(@ids::uuid[])
UNION ALL
SELECT id::text, name FROM channels WHERE channels.workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: AnalyticsCountConversations :exec
-- Counts all facts of conversations n times more. A change of a conversation that is
-- locked for update counts them -1 times before and once after.
INSERT INTO analytics_deltas (workspace_id, day, agent_id, channel_id, conversation_status, kind, bucket, n)
SELECT @workspace_id, (at AT TIME ZONE 'UTC')::date, agent_id, channel_id, conversation_status, kind, bucket, count(*) * @n::bigint
FROM analytics_facts
WHERE analytics_facts.workspace_id = @workspace_id AND conversation_id = ANY(@conversation_ids::uuid[])
GROUP BY 2, 3, 4, 5, 6, 7;

-- name: AnalyticsCountReply :exec
-- Counts the first reply in a conversation that is locked for update.
INSERT INTO analytics_deltas (workspace_id, day, agent_id, channel_id, conversation_status, kind, bucket, n)
SELECT @workspace_id, (at AT TIME ZONE 'UTC')::date, agent_id, channel_id, conversation_status, kind, bucket, 1
FROM analytics_facts
WHERE analytics_facts.workspace_id = @workspace_id AND conversation_id = @conversation_id::uuid AND source = 'reply';

-- name: AnalyticsCountRun :exec
-- Counts a run that ends: its outcome, its cost, and the time to a reply that answers.
INSERT INTO analytics_deltas (workspace_id, day, agent_id, channel_id, kind, bucket, n)
SELECT @workspace_id, ((@finished_at::timestamptz) AT TIME ZONE 'UTC')::date, @agent_id::uuid, @channel_id::uuid, counted.kind, counted.bucket, counted.n
FROM agent_runs AS runs
CROSS JOIN LATERAL (VALUES
    ('run ' || runs.outcome, 0::smallint, 1::bigint),
    ('run cost', 0::smallint, coalesce(runs.cost_micros, 0)),
    ('run latency', reply_bucket(extract(epoch FROM (@finished_at::timestamptz) - runs.created_at)::double precision), CASE WHEN runs.outcome = 'ANSWERED' THEN 1 ELSE 0 END)
) AS counted (kind, bucket, n)
WHERE runs.workspace_id = @workspace_id AND runs.id = @run_id AND counted.n <> 0;

-- name: AnalyticsCountAnswer :exec
-- Records the first answer of an agent in a conversation that is locked for update, and counts
-- the conversation as deflected for now.
WITH answered AS (
    UPDATE conversations SET first_answered_at = @answered_at::timestamptz
    WHERE conversations.workspace_id = @workspace_id AND conversations.id = @conversation_id AND conversations.first_answered_at IS NULL
    RETURNING conversations.id AS answered_id
)
INSERT INTO analytics_deltas (workspace_id, day, agent_id, channel_id, conversation_status, kind, n)
SELECT @workspace_id, ((@answered_at::timestamptz) AT TIME ZONE 'UTC')::date, conversations.agent_id, conversations.channel_id, conversations.status, 'deflected', 1
FROM conversations JOIN answered ON answered.answered_id = conversations.id
WHERE conversations.workspace_id = @workspace_id AND conversations.handed_off_at IS NULL;

-- name: AnalyticsAgents :many
-- The figures of agents per bucket, and per bucket and agent, from first_day to before end_day.
-- agent_key is unused in rows where is_total is true. granularity is day, week, month, or span
-- for a single bucket. Times to a reply are a histogram, see reply_bucket.
WITH counts AS (
    SELECT day, key, kind, bucket AS latency, n
    FROM analytics_daily
    WHERE analytics_daily.workspace_id = @workspace_id AND dimension = 'agent' AND day >= @first_day::date AND day < @end_day::date
        AND (kind LIKE 'run %' OR kind = 'deflected')
    UNION ALL
    SELECT day, agent_id::text COLLATE "C", kind, bucket, n
    FROM analytics_pending
    WHERE analytics_pending.workspace_id = @workspace_id AND day >= @first_day::date AND day < @end_day::date
        AND agent_id IS NOT NULL AND (kind LIKE 'run %' OR kind = 'deflected')
),
placed AS (
    SELECT (CASE WHEN @granularity::text = 'span' THEN @first_day::date::timestamp AT TIME ZONE 'UTC'
                 ELSE date_trunc(@granularity::text, day::timestamp) AT TIME ZONE 'UTC' END)::timestamptz AS bucket,
        key, kind, latency, n
    FROM counts
)
SELECT
    bucket::timestamptz AS bucket,
    (grouping(key) = 1)::boolean AS is_total,
    coalesce(key, '')::text AS agent_key,
    coalesce(sum(n) FILTER (WHERE kind = 'run ANSWERED'), 0)::bigint AS answered,
    coalesce(sum(n) FILTER (WHERE kind = 'run REFUSED'), 0)::bigint AS refused,
    coalesce(sum(n) FILTER (WHERE kind = 'run HANDED_OFF'), 0)::bigint AS handed_off,
    coalesce(sum(n) FILTER (WHERE kind = 'run ENDED'), 0)::bigint AS ended,
    coalesce(sum(n) FILTER (WHERE kind = 'deflected'), 0)::bigint AS deflected,
    coalesce(sum(n) FILTER (WHERE kind = 'run cost'), 0)::bigint AS cost_micros,
    -- The histogram: buckets in any order, which may repeat, and their counts.
    coalesce(array_agg(latency) FILTER (WHERE kind = 'run latency'), '{}')::smallint[] AS latency_buckets,
    coalesce(array_agg(n) FILTER (WHERE kind = 'run latency'), '{}')::bigint[] AS latency_counts
FROM placed
GROUP BY GROUPING SETS ((bucket), (bucket, key))
ORDER BY bucket;

-- name: AnalyticsCountLeads :copyfrom
-- Counts leads that are loaded in bulk and belong to no conversation.
INSERT INTO analytics_deltas (workspace_id, day, kind, n) VALUES (@workspace_id, @day, @kind, @n);

-- name: SystemAnalyticsFold :one
-- Folds up to max_rows deltas into the daily counts; returns how many remain, at most
-- max_rows.
SELECT fold_analytics(@max_rows::integer)::integer AS remaining;

-- name: SystemAnalyticsRebuild :exec
-- Counts everything again from the rows themselves.
SELECT rebuild_analytics();
