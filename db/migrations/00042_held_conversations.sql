-- +goose Up
-- A process that holds a connection to the contact of a conversation, such as a phone call,
-- sends the messages of the conversation over it, until its lease ends.
ALTER TABLE conversations ADD COLUMN held_by uuid, ADD COLUMN held_until timestamptz(3);

-- With of_conversation, the messages of this conversation alone are leased: by who holds it.
-- Otherwise those of held conversations are not.
DROP FUNCTION claim_messages;
-- +goose StatementBegin
CREATE FUNCTION claim_messages(of_workspace uuid, of_channel uuid, moment timestamptz, until timestamptz, pace_milliseconds integer, most integer, of_conversation uuid DEFAULT NULL)
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
          AND CASE WHEN of_conversation IS NULL THEN NOT EXISTS (
            SELECT 1 FROM conversations AS held
            WHERE held.workspace_id = of_workspace AND held.id = waiting.conversation_id AND held.held_until > moment)
          ELSE waiting.conversation_id = of_conversation END
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
ALTER TABLE conversations DROP COLUMN held_by, DROP COLUMN held_until;
