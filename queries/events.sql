-- name: EventRecord :exec
-- Stores events in their order. They are numbered afterwards, see SystemEventSequence.
INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at)
SELECT @workspace_id, event.id, event.type, event.data::json, @occurred_at
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@types::text[]) AS type, unnest(@payloads::text[]) AS data, generate_subscripts(@ids::uuid[], 1) AS number) AS event
ORDER BY event.number;

-- name: EventRecordNumbered :one
-- Stores one event with the next number, and creates no deliveries. It may wait for
-- SystemEventSequence.
WITH counter AS (
    INSERT INTO event_counters AS counter (workspace_id, latest) VALUES (@workspace_id, 1)
    ON CONFLICT (workspace_id) DO UPDATE SET latest = counter.latest + 1
    RETURNING latest
)
INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
SELECT @workspace_id, counter.latest, @id, @type, @data, @occurred_at FROM counter
RETURNING *;

-- name: SystemEventSequence :one
-- Numbers events that have no number yet, and creates what follows from them; see the function.
SELECT numbered::integer AS numbered, delivered::integer AS delivered, last_workspace::uuid AS last_workspace, more::boolean AS more
FROM sequence_events(@most_rows, @most_workspaces, @after_workspace);

-- name: EventList :many
-- Events of some types after a number, oldest first.
SELECT * FROM events
WHERE workspace_id = @workspace_id AND sequence > @after AND type = ANY(@types::text[])
ORDER BY sequence LIMIT @row_limit;

-- name: EventListByType :many
-- The same for a few types: each is read from its own range of an index, so that events
-- of other types are not visited.
SELECT found.* FROM unnest(@types::text[]) AS wanted (type)
CROSS JOIN LATERAL (
    SELECT * FROM events
    WHERE events.workspace_id = @workspace_id AND events.type = wanted.type AND events.sequence > @after
    ORDER BY events.sequence LIMIT @row_limit
) AS found
ORDER BY found.sequence LIMIT @row_limit;

-- name: EventLatest :one
-- The number of the latest event.
SELECT latest FROM event_counters WHERE workspace_id = @workspace_id;

-- name: SystemEventDeleteOld :execrows
-- Deletes up to max_rows events that occurred before a time.
DELETE FROM events WHERE (workspace_id, sequence) IN (
  SELECT workspace_id, sequence FROM events AS old WHERE old.occurred_at < @before LIMIT @max_rows
);
