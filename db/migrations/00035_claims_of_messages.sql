-- +goose Up
-- Leases due messages of a channel: of each conversation the oldest alone, so that its order is
-- kept. It reads the due messages in the order of their index and stops at the limit. It is a
-- function so that its plan does not depend on statistics: these are mostly of an empty queue,
-- for which a plan that reads and sorts all of it looks best.
-- +goose StatementBegin
CREATE FUNCTION claim_messages(of_workspace uuid, of_channel uuid, moment timestamptz, until timestamptz, pace_milliseconds integer, most integer)
RETURNS TABLE (message uuid, conversation uuid, attempts integer, parts integer, doubtful boolean, letter jsonb) LANGUAGE plpgsql ROWS 10
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN QUERY WITH due AS (
        SELECT waiting.message_id, waiting.sending_since IS NOT NULL AS in_doubt
        FROM outbound_messages AS waiting
        WHERE waiting.workspace_id = of_workspace AND waiting.channel_id = of_channel AND waiting.next_attempt_at <= moment
          AND (waiting.leased_until IS NULL OR waiting.leased_until <= moment)
          AND NOT EXISTS (
            SELECT 1 FROM outbound_messages AS earlier
            WHERE earlier.workspace_id = of_workspace AND earlier.conversation_id = waiting.conversation_id
              AND earlier.message_id < waiting.message_id)
        ORDER BY waiting.next_attempt_at LIMIT most FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE outbound_messages SET leased_until = until, tries = outbound_messages.tries + 1
        FROM due
        WHERE outbound_messages.workspace_id = of_workspace AND outbound_messages.message_id = due.message_id
        RETURNING outbound_messages.*, due.in_doubt
    ), paced AS (
        UPDATE channels SET next_send_at = greatest(channels.next_send_at, moment) + pace_milliseconds * (SELECT count(*) FROM claimed) * '1 ms'::interval
        WHERE channels.workspace_id = of_workspace AND channels.id = of_channel AND pace_milliseconds > 0
    )
    SELECT claimed.message_id, claimed.conversation_id, claimed.tries, claimed.parts_sent, claimed.in_doubt, claimed.template FROM claimed;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION claim_messages;
