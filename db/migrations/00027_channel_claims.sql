-- What claims work of channels: messages to send, files to fetch, connections to hold.

-- +goose Up
-- How many parts of a long message, or of one with files, were sent. Only the part after
-- them can be in doubt after a crash.
ALTER TABLE outbound_messages ADD COLUMN parts_sent integer NOT NULL DEFAULT 0;
-- Set before the provider is called, and null again once the outcome is known. If its worker
-- has died meanwhile, the part may have been sent.
ALTER TABLE outbound_messages ADD COLUMN sending_since timestamptz(3);

-- Channels with a message that is due, or in doubt. It skips through the index from channel
-- to channel, so that its cost does not depend on the number of queued messages.
-- +goose StatementBegin
CREATE FUNCTION due_channels(moment timestamptz) RETURNS TABLE (of_workspace uuid, channel uuid) LANGUAGE plpgsql STABLE ROWS 10 AS $$
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

-- Files are fetched from providers by the process that has leased them.
ALTER TABLE attachments
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN next_attempt_at timestamptz(3),
    ADD COLUMN leased_until timestamptz(3);

-- Locks files that may be fetched now: of each workspace no more than that share of them are
-- leased. It skips through the index from workspace to workspace, from the one after a given
-- one and around, so that each gets its turn.
-- +goose StatementBegin
CREATE FUNCTION due_attachments(moment timestamptz, share integer, most integer, after uuid) RETURNS TABLE (of_workspace uuid, attachment uuid) LANGUAGE plpgsql ROWS 10 AS $$
DECLARE
    space uuid := after;
    around boolean := false;
    taken integer := 0;
BEGIN
    WHILE taken < most LOOP
        SELECT workspace_id INTO space FROM attachments WHERE state = 'PENDING' AND workspace_id > space ORDER BY workspace_id LIMIT 1;
        IF space IS NULL AND NOT around THEN
            around := true;
            SELECT workspace_id INTO space FROM attachments WHERE state = 'PENDING' ORDER BY workspace_id LIMIT 1;
        END IF;
        EXIT WHEN space IS NULL OR around AND space > after;
        FOR of_workspace, attachment IN
            SELECT workspace_id, id FROM attachments
            WHERE workspace_id = space AND state = 'PENDING' AND coalesce(next_attempt_at, moment) <= moment AND coalesce(leased_until, moment) <= moment
            ORDER BY id
            LIMIT least(most - taken, greatest(0, share - (SELECT count(*) FROM attachments WHERE workspace_id = space AND state = 'PENDING' AND leased_until > moment)))
            FOR UPDATE SKIP LOCKED
        LOOP
            taken := taken + 1;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- The process that holds the connection of a channel, and until when unless it renews it.
ALTER TABLE channels ADD COLUMN listener uuid, ADD COLUMN listener_until timestamptz(3);

-- +goose Down
ALTER TABLE channels DROP COLUMN listener, DROP COLUMN listener_until;
DROP FUNCTION due_attachments;
ALTER TABLE attachments DROP COLUMN tries, DROP COLUMN next_attempt_at, DROP COLUMN leased_until;
DROP FUNCTION due_channels;
ALTER TABLE outbound_messages DROP COLUMN parts_sent, DROP COLUMN sending_since;
