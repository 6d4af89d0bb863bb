-- name: SystemWorkspaceBySlug :one
-- The workspace of this slug.
SELECT * FROM workspaces WHERE slug = @slug;

-- name: SystemWorkspaceExists :one
-- Whether there is any workspace at all.
SELECT EXISTS (SELECT 1 FROM workspaces);

-- name: SystemWorkspaceCreate :one
-- A workspace; violates workspaces_slug_key where the slug is taken.
INSERT INTO workspaces (id, slug, name, created_at) VALUES (@id, @slug, @name, @created_at) RETURNING *;

-- name: SystemWorkspaceList :many
-- All workspaces, by slug.
SELECT * FROM workspaces ORDER BY slug;

-- name: SystemWorkspaceSetRateLimit :execrows
-- Sets or, by null, takes away a workspace's own limit; 0 rows where there is no such slug.
UPDATE workspaces SET rate_limit_per_minute = sqlc.narg('rate_limit_per_minute') WHERE slug = @slug;

-- name: SystemWorkspaceSetKnowledgeScopes :execrows
-- Sets whether changes to knowledge need a scope; 0 rows if no workspace has the slug.
UPDATE workspaces SET require_scopes_for_knowledge = @require WHERE slug = @slug;
