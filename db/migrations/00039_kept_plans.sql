-- +goose Up
-- The statements in these functions run once for each webhook or channel. Sessions that plan
-- each statement every time would plan each of these too, which takes longer than to run it. The
-- plans that are kept do not depend on statistics (see 00031).
ALTER FUNCTION due_webhooks(timestamptz) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION due_channels(timestamptz) SET plan_cache_mode = force_generic_plan;

-- Records attempts, one delivery after the other, each found by its key. To a plan for all of
-- them, a table whose statistics know finished deliveries alone has none that is due, so that
-- it looks cheap to read all of them and to compare each with all attempts.
-- +goose StatementBegin
CREATE FUNCTION record_attempts(workspaces uuid[], integrations uuid[], deliveries uuid[], statuses text[], next_attempts timestamptz[], made text[])
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    FOR i IN 1 .. cardinality(deliveries) LOOP
        UPDATE webhook_deliveries SET
            status = statuses[i], next_attempt_at = next_attempts[i], leased_until = NULL, tries = tries + 1, attempts = attempts || made[i]::jsonb
        WHERE workspace_id = workspaces[i] AND integration_id = integrations[i] AND id = deliveries[i]
          AND status NOT IN ('SUCCEEDED', 'FAILED'); -- = 'PENDING' would allow the index of all that are due
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION record_attempts;
ALTER FUNCTION due_webhooks(timestamptz) RESET plan_cache_mode;
ALTER FUNCTION due_channels(timestamptz) RESET plan_cache_mode;
