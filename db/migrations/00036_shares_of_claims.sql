-- +goose Up
-- Two processes that claimed at the same time did not see the leases of each other, and a
-- workspace got its share twice. One claims for a workspace at a time now; the others go on
-- to the next workspace.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION due_attachments(moment timestamptz, share integer, most integer, after uuid) RETURNS TABLE (of_workspace uuid, attachment uuid) LANGUAGE plpgsql ROWS 10 SET enable_seqscan = off AS $$
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
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('attachments ' || space, 0));
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION due_agent_runs(moment timestamptz, share integer, most integer, after uuid) RETURNS TABLE (of_workspace uuid, run uuid) LANGUAGE plpgsql ROWS 10 SET enable_seqscan = off AS $$
DECLARE
    space uuid := after;
    around boolean := false;
    taken integer := 0;
BEGIN
    WHILE taken < most LOOP
        SELECT workspace_id INTO space FROM agent_runs WHERE outcome IS NULL AND workspace_id > space ORDER BY workspace_id LIMIT 1;
        IF space IS NULL AND NOT around THEN
            around := true;
            SELECT workspace_id INTO space FROM agent_runs WHERE outcome IS NULL ORDER BY workspace_id LIMIT 1;
        END IF;
        EXIT WHEN space IS NULL OR around AND space > after;
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('agent runs ' || space, 0));
        FOR of_workspace, run IN
            SELECT workspace_id, id FROM agent_runs
            WHERE workspace_id = space AND outcome IS NULL AND coalesce(leased_until, moment) <= moment
            ORDER BY id
            LIMIT least(most - taken, greatest(0, share - (SELECT count(*) FROM agent_runs WHERE workspace_id = space AND outcome IS NULL AND leased_until > moment)))
            FOR UPDATE SKIP LOCKED
        LOOP
            taken := taken + 1;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION due_attachments(moment timestamptz, share integer, most integer, after uuid) RETURNS TABLE (of_workspace uuid, attachment uuid) LANGUAGE plpgsql ROWS 10 SET enable_seqscan = off AS $$
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION due_agent_runs(moment timestamptz, share integer, most integer, after uuid) RETURNS TABLE (of_workspace uuid, run uuid) LANGUAGE plpgsql ROWS 10 SET enable_seqscan = off AS $$
DECLARE
    space uuid := after;
    around boolean := false;
    taken integer := 0;
BEGIN
    WHILE taken < most LOOP
        SELECT workspace_id INTO space FROM agent_runs WHERE outcome IS NULL AND workspace_id > space ORDER BY workspace_id LIMIT 1;
        IF space IS NULL AND NOT around THEN
            around := true;
            SELECT workspace_id INTO space FROM agent_runs WHERE outcome IS NULL ORDER BY workspace_id LIMIT 1;
        END IF;
        EXIT WHEN space IS NULL OR around AND space > after;
        FOR of_workspace, run IN
            SELECT workspace_id, id FROM agent_runs
            WHERE workspace_id = space AND outcome IS NULL AND coalesce(leased_until, moment) <= moment
            ORDER BY id
            LIMIT least(most - taken, greatest(0, share - (SELECT count(*) FROM agent_runs WHERE workspace_id = space AND outcome IS NULL AND leased_until > moment)))
            FOR UPDATE SKIP LOCKED
        LOOP
            taken := taken + 1;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
-- +goose StatementEnd
