-- Versions of agents: what was published, and which version replies in a conversation.

-- +goose Up
-- A published version: the settings that decide on replies. They never change.
CREATE TABLE agent_versions (
    workspace_id    uuid NOT NULL,
    agent_id        uuid NOT NULL,
    number          integer NOT NULL,
    system_prompt   text NOT NULL,
    model_provider  text NOT NULL,
    model_name      text NOT NULL,
    temperature     double precision NOT NULL,
    max_tokens      integer NOT NULL,
    created_at      timestamptz(3) NOT NULL,
    -- Since when conversations that began with it get the published version instead.
    withdrawn_at    timestamptz(3),
    PRIMARY KEY (workspace_id, agent_id, number),
    CONSTRAINT agent_versions_agent_fkey FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id)
);

-- The settings of an agent are its draft. Null until a version is published.
ALTER TABLE agents ADD COLUMN published_version integer;
-- Whether the draft differs from the published version.
ALTER TABLE agents ADD COLUMN unpublished_changes boolean NOT NULL DEFAULT true;
-- The version that has replied in a conversation. Versions may be deleted before.
ALTER TABLE conversations ADD COLUMN agent_version integer;
ALTER TABLE agent_runs ADD COLUMN agent_version integer;

INSERT INTO agent_versions (workspace_id, agent_id, number, system_prompt, model_provider, model_name, temperature, max_tokens, created_at)
SELECT workspace_id, id, 1, system_prompt, model_provider, model_name, temperature, max_tokens, updated_at
FROM agents WHERE status = 'PUBLISHED';
UPDATE agents SET published_version = 1, unpublished_changes = false WHERE status = 'PUBLISHED';

-- +goose Down
ALTER TABLE agent_runs DROP COLUMN agent_version;
ALTER TABLE conversations DROP COLUMN agent_version;
ALTER TABLE agents DROP COLUMN unpublished_changes;
ALTER TABLE agents DROP COLUMN published_version;
DROP TABLE agent_versions;
