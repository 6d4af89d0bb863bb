-- What language models cost: prices, budgets and a ledger of calls. Money is in millionths of
-- the workspace's currency.

-- +goose Up
-- Prices per model: {model: {"input": …, "output": …}}, each for a million tokens.
ALTER TABLE model_providers ADD COLUMN prices jsonb NOT NULL DEFAULT '{}';

CREATE TABLE model_budgets (
    workspace_id    uuid PRIMARY KEY REFERENCES workspaces (id),
    currency        text NOT NULL,
    -- For a month; null for no limit.
    monthly_micros  bigint,
    -- What agents do once a budget is used up.
    when_exceeded   text NOT NULL,
    updated_at      timestamptz(3) NOT NULL,
    CONSTRAINT model_budgets_monthly_check CHECK (monthly_micros >= 0),
    CONSTRAINT model_budgets_when_exceeded_check CHECK (when_exceeded IN ('HAND_OFF', 'BUILTIN'))
);

ALTER TABLE agents ADD COLUMN monthly_budget_micros bigint CHECK (monthly_budget_micros >= 0);

-- What was spent in a month (in UTC), with what is reserved for calls in progress. The agent of
-- all zeros stands for the whole workspace.
CREATE TABLE model_spending (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    agent_id      uuid NOT NULL,
    month         date NOT NULL,
    micros        bigint NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, month)
) WITH (fillfactor = 70);

-- The ledger: a row for each call, inserted before it. Until the call ends, its cost is the
-- highest possible, which is what is reserved for it.
CREATE TABLE model_calls (
    workspace_id   uuid NOT NULL,
    id             uuid NOT NULL,
    agent_id       uuid NOT NULL,
    -- Null for previews and checks. Runs may be deleted before.
    run_id         uuid,
    provider       text NOT NULL,
    model          text NOT NULL,
    input_tokens   integer NOT NULL DEFAULT 0,
    output_tokens  integer NOT NULL DEFAULT 0,
    -- Null if the model has no price, or if the call was lost.
    cost_micros    bigint,
    latency_ms     integer,
    -- ok, the kind of the error (see internal/domain/agent/model), or lost if the server died before
    -- the call ended; null until then.
    outcome        text,
    created_at     timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT model_calls_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id)
);
CREATE INDEX model_calls_run_idx ON model_calls (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX model_calls_agent_idx ON model_calls (workspace_id, agent_id, id);
CREATE INDEX model_calls_created_idx ON model_calls (created_at);
CREATE INDEX model_calls_unsettled_idx ON model_calls (created_at) WHERE outcome IS NULL;

-- Null until the run ends, and if a model has no price.
ALTER TABLE agent_runs ADD COLUMN cost_micros bigint;

-- +goose Down
ALTER TABLE agent_runs DROP COLUMN cost_micros;
DROP TABLE model_calls;
DROP TABLE model_spending;
ALTER TABLE agents DROP COLUMN monthly_budget_micros;
DROP TABLE model_budgets;
ALTER TABLE model_providers DROP COLUMN prices;
