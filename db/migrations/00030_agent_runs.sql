-- Agents that reply: what they have to reply to, and what they leave behind.

-- +goose Up
-- A run of an agent: it replies to what a contact wrote. Nothing of it takes effect before
-- the transaction that ends it, so that a run whose process dies begins again.
CREATE TABLE agent_runs (
    workspace_id     uuid NOT NULL,
    id               uuid NOT NULL,
    agent_id         uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    -- The latest message to reply to. A message that arrives while the run is open replaces it.
    message_id       uuid NOT NULL,
    -- When the contact must have a reply: afterwards the conversation is handed off.
    deadline_at      timestamptz(3) NOT NULL,
    -- The claim of a process, and until when unless it renews it.
    lease            uuid,
    leased_until     timestamptz(3),
    tries            integer NOT NULL DEFAULT 0,
    -- How it ended, and why; null while it is open.
    outcome          text,
    reason           text,
    steps            integer NOT NULL DEFAULT 0,
    model_provider   text,
    model_name       text,
    input_tokens     integer NOT NULL DEFAULT 0,
    output_tokens    integer NOT NULL DEFAULT 0,
    reply_id         uuid,
    created_at       timestamptz(3) NOT NULL,
    started_at       timestamptz(3),
    finished_at      timestamptz(3),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT agent_runs_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id),
    CONSTRAINT agent_runs_conversation_fkey FOREIGN KEY (workspace_id, conversation_id)
        REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT agent_runs_outcome_check CHECK (outcome IN ('ANSWERED', 'REFUSED', 'HANDED_OFF', 'ENDED', 'DROPPED'))
);
-- A conversation has one open run.
CREATE UNIQUE INDEX agent_runs_open_key ON agent_runs (workspace_id, conversation_id) WHERE outcome IS NULL;
CREATE INDEX agent_runs_due_idx ON agent_runs (workspace_id, id) WHERE outcome IS NULL;
CREATE INDEX agent_runs_finished_idx ON agent_runs (finished_at);
CREATE INDEX agent_runs_agent_idx ON agent_runs (workspace_id, agent_id, id);
CREATE INDEX agent_runs_conversation_idx ON agent_runs (workspace_id, conversation_id, id);

-- Locks runs that may be claimed: of each workspace no more than that share of them are
-- leased. It skips through the index from workspace to workspace, from the one after a given
-- one and around, so that each gets its turn.
-- +goose StatementBegin
CREATE FUNCTION due_agent_runs(moment timestamptz, share integer, most integer, after uuid) RETURNS TABLE (of_workspace uuid, run uuid) LANGUAGE plpgsql ROWS 10 AS $$
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

-- The passages that a reply of an agent cites, as the API shows them.
ALTER TABLE messages ADD COLUMN citations jsonb NOT NULL DEFAULT '[]';
-- What a conversation was about, written when it is handed off or ended by an agent.
ALTER TABLE conversations ADD COLUMN summary text;
-- Why a lead has its score; null if a person has set it.
ALTER TABLE leads ADD COLUMN score_reason text;

-- The data of an event without the person that it is about, still as its schema demands.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION redacted_event(type text, data json, moment text) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE
        WHEN type LIKE 'lead.%' THEN jsonb_set(data::jsonb, '{lead,fields}', '{"name": ""}') #- '{lead,scoreReason}'
        WHEN type LIKE 'contact.%' THEN jsonb_set(data::jsonb, '{contact}', (data -> 'contact')::jsonb || '{"name": null, "email": null, "phone": null}')
        WHEN type LIKE 'message.%' THEN jsonb_set(jsonb_set(data::jsonb, '{message,content}', '""'), '{message,redactedAt}', to_jsonb(moment))
            #- '{message,attachments}' #- '{message,externalId}' #- '{message,clientMessageId}' #- '{message,citations}'
        ELSE jsonb_set(data::jsonb, '{conversation,contact}', (data -> 'conversation' -> 'contact')::jsonb || '{"name": null, "email": null, "phone": null}') - 'reason' - 'summary'
    END)::json
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION redacted_event(type text, data json, moment text) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE
        WHEN type LIKE 'lead.%' THEN jsonb_set(data::jsonb, '{lead,fields}', '{"name": ""}')
        WHEN type LIKE 'contact.%' THEN jsonb_set(data::jsonb, '{contact}', (data -> 'contact')::jsonb || '{"name": null, "email": null, "phone": null}')
        WHEN type LIKE 'message.%' THEN jsonb_set(jsonb_set(data::jsonb, '{message,content}', '""'), '{message,redactedAt}', to_jsonb(moment))
            #- '{message,attachments}' #- '{message,externalId}' #- '{message,clientMessageId}'
        ELSE jsonb_set(data::jsonb, '{conversation,contact}', (data -> 'conversation' -> 'contact')::jsonb || '{"name": null, "email": null, "phone": null}') - 'reason'
    END)::json
$$;
-- +goose StatementEnd
ALTER TABLE leads DROP COLUMN score_reason;
ALTER TABLE conversations DROP COLUMN summary;
ALTER TABLE messages DROP COLUMN citations;
DROP FUNCTION due_agent_runs;
DROP TABLE agent_runs;
