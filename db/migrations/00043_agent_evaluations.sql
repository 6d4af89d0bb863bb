-- Evaluations of agents: jobs that hold the conversations of a set with an agent.

-- +goose Up
CREATE TABLE agent_evaluations (
    workspace_id    uuid NOT NULL,
    id              uuid NOT NULL,
    agent_id        uuid NOT NULL,
    -- What is measured: a version, or the draft as it was if null.
    agent_version   integer,
    system_prompt   text NOT NULL,
    model_provider  text NOT NULL,
    model_name      text NOT NULL,
    temperature     double precision NOT NULL,
    max_tokens      integer NOT NULL,
    name            text NOT NULL,
    status          text NOT NULL DEFAULT 'QUEUED',
    reason          text,
    -- The scores, once it has completed.
    report          jsonb,
    -- What its calls of models have cost, once it has ended; null if one has no price.
    cost_micros     bigint,
    -- The claim of a process, and until when unless it renews it.
    lease           uuid,
    leased_until    timestamptz(3),
    tries           integer NOT NULL DEFAULT 0,
    created_at      timestamptz(3) NOT NULL,
    started_at      timestamptz(3),
    -- When it fails unless it has ended.
    deadline_at     timestamptz(3),
    finished_at     timestamptz(3),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT agent_evaluations_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id),
    CONSTRAINT agent_evaluations_status_check CHECK (status IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED'))
);
CREATE INDEX agent_evaluations_open_idx ON agent_evaluations (workspace_id, id) WHERE finished_at IS NULL;
CREATE INDEX agent_evaluations_agent_idx ON agent_evaluations (workspace_id, agent_id, id);
CREATE INDEX agent_evaluations_finished_idx ON agent_evaluations (finished_at);

-- The cases of an evaluation, in the order of the set, and how they went. One that is continued
-- after a crash does not repeat what it has a result of.
CREATE TABLE agent_evaluation_cases (
    workspace_id   uuid NOT NULL,
    evaluation_id  uuid NOT NULL,
    position       integer NOT NULL,
    definition     jsonb NOT NULL,
    result         jsonb,
    PRIMARY KEY (workspace_id, evaluation_id, position),
    CONSTRAINT agent_evaluation_cases_evaluation_fkey FOREIGN KEY (workspace_id, evaluation_id)
        REFERENCES agent_evaluations (workspace_id, id) ON DELETE CASCADE
);

-- Calls of models that an evaluation has made.
ALTER TABLE model_calls ADD COLUMN evaluation_id uuid;
CREATE INDEX model_calls_evaluation_idx ON model_calls (workspace_id, evaluation_id) WHERE evaluation_id IS NOT NULL;

-- +goose Down
DROP INDEX model_calls_evaluation_idx;
ALTER TABLE model_calls DROP COLUMN evaluation_id;
DROP TABLE agent_evaluation_cases;
DROP TABLE agent_evaluations;
