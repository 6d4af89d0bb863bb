-- name: SystemUserCreate :one
-- A user; violates users_email_key where the address is taken.
INSERT INTO users (id, email, name, password_hash, password_changed_at, created_at)
VALUES (@id, @email, @name, @password_hash, @created_at, @created_at)
RETURNING *;

-- name: SystemUserByEmail :one
-- The user of an address, whatever its case.
SELECT * FROM users WHERE lower(email) = lower(@email::text);

-- name: SystemUserGet :one
-- The user of this id.
SELECT * FROM users WHERE id = @id;

-- name: SystemUserSetPassword :execrows
-- Replaces a password and so ends all sessions.
UPDATE users SET password_hash = @password_hash, password_changed_at = @changed_at WHERE id = @id;

-- name: MembershipCreate :exec
-- Lets a user into a workspace; nothing where that is so already.
INSERT INTO memberships (workspace_id, user_id, created_at) VALUES (@workspace_id, @user_id, @created_at)
ON CONFLICT DO NOTHING;

-- name: SystemMembershipList :many
-- The workspaces that a user may enter, by name.
SELECT workspaces.* FROM memberships
JOIN workspaces ON workspaces.id = memberships.workspace_id
WHERE memberships.user_id = @user_id
ORDER BY workspaces.name, workspaces.id;

-- name: SystemSessionDeleteExpired :execrows
-- Deletes up to max_rows expired sessions.
DELETE FROM sessions WHERE token IN (SELECT token FROM sessions AS old WHERE old.expiry < @now LIMIT @max_rows);
