-- A workspace can require a scope for changes to its knowledge.

-- +goose Up
-- If true, uploads, crawls and other changes to knowledge need the scope agents:write.
ALTER TABLE workspaces ADD COLUMN require_scopes_for_knowledge boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE workspaces DROP COLUMN require_scopes_for_knowledge;
