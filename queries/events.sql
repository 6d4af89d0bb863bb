-- name: EventRecord :one
-- Numbers and stores events, with a delivery of each to every subscribed webhook;
-- returns the sequence number of the last.
SELECT record_events(of_workspace_id => @workspace_id, ids => @ids::uuid[], types => @types::text[], payloads => @payloads::text[], moment => @occurred_at)::bigint AS sequence;

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
