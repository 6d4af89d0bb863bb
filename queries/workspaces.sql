-- name: SystemWorkspaceBySlug :one
-- The workspace with a slug.
SELECT * FROM workspaces WHERE slug = @slug;

-- name: SystemWorkspaceExists :one
-- Whether any workspace exists.
SELECT EXISTS (SELECT 1 FROM workspaces);

-- name: SystemWorkspaceCreate :one
-- Creates a workspace; violates workspaces_slug_key if the slug is taken.
INSERT INTO workspaces (id, slug, name, created_at) VALUES (@id, @slug, @name, @created_at) RETURNING *;

-- name: SystemWorkspaceList :many
-- All workspaces, by slug.
SELECT * FROM workspaces ORDER BY slug;

-- name: SystemWorkspaceSetRateLimit :execrows
-- Sets a workspace's own rate limit, or removes it with null; 0 rows if no workspace has the slug.
UPDATE workspaces SET rate_limit_per_minute = sqlc.narg('rate_limit_per_minute') WHERE slug = @slug;

-- name: SystemWorkspaceSetKnowledgeScopes :execrows
-- Sets whether changes to knowledge need a scope; 0 rows if no workspace has the slug.
UPDATE workspaces SET require_scopes_for_knowledge = @require WHERE slug = @slug;

-- name: WorkspaceLock :exec
-- Locks the workspace until the transaction ends, for what is counted before it is added to.
SELECT id AS workspace_id FROM workspaces WHERE id = @workspace_id FOR NO KEY UPDATE;
