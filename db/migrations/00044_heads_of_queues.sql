-- +goose Up
-- The queue of messages is read by keys alone, no matter what the statistics of its table say: they
-- are those of a queue that was empty, or plans are kept from when it was. Each step below has
-- one order that one index gives, and no other plan.
--
-- Of each conversation the oldest message alone has a time. The ones after it wait without one
-- until it has left the queue, so that a long queue of one conversation delays no one.
ALTER TABLE outbound_messages ALTER COLUMN next_attempt_at DROP NOT NULL;
UPDATE outbound_messages SET next_attempt_at = NULL
WHERE leased_until IS NULL AND EXISTS (
    SELECT 1 FROM outbound_messages AS earlier
    WHERE earlier.workspace_id = outbound_messages.workspace_id AND earlier.conversation_id = outbound_messages.conversation_id
      AND earlier.message_id < outbound_messages.message_id);

-- No two indexes begin with the same column. Otherwise the planner takes a queue that was empty
-- when it was analyzed for one row, which each of them finds equally fast, and may find a message
-- by its workspace alone.
DROP INDEX outbound_messages_conversation_idx;
DROP INDEX outbound_messages_due_idx;
CREATE INDEX outbound_messages_conversation_idx ON outbound_messages (conversation_id, message_id);
CREATE INDEX outbound_messages_due_idx ON outbound_messages (channel_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Channels with messages that are due.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION due_channels(moment timestamptz) RETURNS TABLE (of_workspace uuid, channel uuid) LANGUAGE plpgsql STABLE ROWS 10
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    due record;
BEGIN
    SELECT workspace_id, channel_id, next_attempt_at INTO due FROM outbound_messages
    WHERE next_attempt_at IS NOT NULL ORDER BY channel_id, next_attempt_at LIMIT 1;
    WHILE due.channel_id IS NOT NULL LOOP
        IF due.next_attempt_at <= moment THEN
            of_workspace := due.workspace_id;
            channel := due.channel_id;
            RETURN NEXT;
        END IF;
        SELECT workspace_id, channel_id, next_attempt_at INTO due FROM outbound_messages
        WHERE next_attempt_at IS NOT NULL AND channel_id > due.channel_id ORDER BY channel_id, next_attempt_at LIMIT 1;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Whether a message is the oldest one of its conversation in the queue. The functions that call
-- it set which plans it may use.
-- +goose StatementBegin
CREATE FUNCTION is_oldest_message(of_conversation uuid, of_message uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    oldest record;
BEGIN
    SELECT conversation_id, message_id INTO oldest FROM outbound_messages
    WHERE (conversation_id, message_id) >= (of_conversation, '00000000-0000-0000-0000-000000000000'::uuid)
    ORDER BY conversation_id, message_id LIMIT 1;
    RETURN oldest.message_id IS NULL OR oldest.conversation_id <> of_conversation OR oldest.message_id >= of_message;
END
$$;
-- +goose StatementEnd

-- Queues a message of a conversation that is locked.
-- +goose StatementBegin
CREATE FUNCTION queue_message(of_workspace uuid, of_channel uuid, of_conversation uuid, of_message uuid, first_attempt timestamptz, of_template jsonb)
RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    INSERT INTO outbound_messages (workspace_id, message_id, channel_id, conversation_id, next_attempt_at, template)
    VALUES (of_workspace, of_message, of_channel, of_conversation,
        CASE WHEN is_oldest_message(of_conversation, of_message) THEN first_attempt END, of_template);
END
$$;
-- +goose StatementEnd

-- Removes a message from the queue, and reports false if its lease is not this one. The next
-- message of the conversation, which is locked, may be sent from a time on.
-- +goose StatementBegin
CREATE FUNCTION dequeue_message(of_workspace uuid, of_message uuid, lease timestamptz, next_at timestamptz) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    of_conversation uuid;
    follower record;
BEGIN
    DELETE FROM outbound_messages
    WHERE workspace_id = of_workspace AND message_id = of_message AND leased_until IS NOT DISTINCT FROM lease
    RETURNING conversation_id INTO of_conversation;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT conversation_id, message_id INTO follower FROM outbound_messages
    WHERE (conversation_id, message_id) > (of_conversation, of_message) ORDER BY conversation_id, message_id LIMIT 1;
    IF follower.conversation_id = of_conversation THEN
        UPDATE outbound_messages SET next_attempt_at = greatest(next_attempt_at, next_at)
        WHERE workspace_id = of_workspace AND message_id = follower.message_id AND leased_until IS NULL;
    END IF;
    RETURN true;
END
$$;
-- +goose StatementEnd

-- With of_conversation, the messages of this conversation alone are leased: by who holds it.
-- Otherwise those of held conversations are not. A lease that a crash of the database undoes is
-- lost, as its owner sees before it sends: so the commit need not wait for the disk.
DROP FUNCTION claim_messages;
-- +goose StatementBegin
CREATE FUNCTION claim_messages(of_workspace uuid, of_channel uuid, moment timestamptz, until timestamptz, pace_milliseconds integer, most integer, of_conversation uuid DEFAULT NULL)
RETURNS TABLE (message uuid) LANGUAGE plpgsql ROWS 10
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    waiting record;
    locked record;
    claimed integer := 0;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR waiting IN
        SELECT message_id, conversation_id FROM outbound_messages
        WHERE workspace_id = of_workspace AND channel_id = of_channel AND next_attempt_at <= moment
          AND (leased_until IS NULL OR leased_until <= moment) AND (of_conversation IS NULL OR conversation_id = of_conversation)
        ORDER BY channel_id, next_attempt_at
    LOOP
        EXIT WHEN claimed >= most;
        CONTINUE WHEN NOT is_oldest_message(waiting.conversation_id, waiting.message_id);
        CONTINUE WHEN of_conversation IS NULL AND EXISTS (
            SELECT 1 FROM conversations WHERE workspace_id = of_workspace AND id = waiting.conversation_id AND held_until > moment);
        SELECT next_attempt_at, leased_until INTO locked FROM outbound_messages
        WHERE workspace_id = of_workspace AND message_id = waiting.message_id FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND OR locked.next_attempt_at > moment OR locked.leased_until > moment;
        UPDATE outbound_messages SET leased_until = until, tries = tries + 1
        WHERE workspace_id = of_workspace AND message_id = waiting.message_id;
        message := waiting.message_id;
        RETURN NEXT;
        claimed := claimed + 1;
    END LOOP;
    IF pace_milliseconds > 0 AND claimed > 0 THEN
        -- A claim that is late by less than the time of one message does not slow the channel down.
        UPDATE channels SET next_send_at = greatest(next_send_at, moment - pace_milliseconds * '1 ms'::interval) + pace_milliseconds * claimed * '1 ms'::interval
        WHERE workspace_id = of_workspace AND id = of_channel;
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION claim_messages;
DROP FUNCTION dequeue_message;
DROP FUNCTION queue_message;
DROP FUNCTION is_oldest_message;
DROP INDEX outbound_messages_conversation_idx;
DROP INDEX outbound_messages_due_idx;
UPDATE outbound_messages SET next_attempt_at = now() WHERE next_attempt_at IS NULL;
CREATE INDEX outbound_messages_conversation_idx ON outbound_messages (workspace_id, conversation_id, message_id);
CREATE INDEX outbound_messages_due_idx ON outbound_messages (workspace_id, channel_id, next_attempt_at);
ALTER TABLE outbound_messages ALTER COLUMN next_attempt_at SET NOT NULL;
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION due_channels(moment timestamptz) RETURNS TABLE (of_workspace uuid, channel uuid) LANGUAGE plpgsql STABLE ROWS 10
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    due  record;
BEGIN
    SELECT workspace_id, channel_id, next_attempt_at INTO due FROM outbound_messages
    ORDER BY workspace_id, channel_id, next_attempt_at LIMIT 1;
    WHILE due.channel_id IS NOT NULL LOOP
        IF due.next_attempt_at <= moment THEN
            of_workspace := due.workspace_id;
            channel := due.channel_id;
            RETURN NEXT;
        END IF;
        SELECT workspace_id, channel_id, next_attempt_at INTO due FROM outbound_messages
        WHERE (workspace_id, channel_id) > (due.workspace_id, due.channel_id)
        ORDER BY workspace_id, channel_id, next_attempt_at LIMIT 1;
    END LOOP;
END
$$;
-- +goose StatementEnd
