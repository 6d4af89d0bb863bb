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
