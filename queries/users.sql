-- name: SystemUserCreate :one
-- Creates a user; violates users_email_key if the address is taken.
INSERT INTO users (id, email, name, password_hash, password_changed_at, created_at)
VALUES (@id, @email, @name, @password_hash, @created_at, @created_at)
RETURNING *;

-- name: SystemUserByEmail :one
-- The user with an address, case-insensitively.
SELECT * FROM users WHERE lower(email) = lower(@email::text);

-- name: SystemUserGet :one
-- One user.
SELECT * FROM users WHERE id = @id;

-- name: SystemUserSetPassword :execrows
-- Replaces a password, which ends all sessions.
UPDATE users SET password_hash = @password_hash, password_changed_at = @changed_at WHERE id = @id;

-- name: MembershipCreate :exec
-- Adds a user to a workspace; does nothing if the user is a member.
INSERT INTO memberships (workspace_id, user_id, created_at) VALUES (@workspace_id, @user_id, @created_at)
ON CONFLICT DO NOTHING;

-- name: SystemMembershipList :many
-- The workspaces of a user, by name.
SELECT workspaces.* FROM memberships
JOIN workspaces ON workspaces.id = memberships.workspace_id
WHERE memberships.user_id = @user_id
ORDER BY workspaces.name, workspaces.id;

-- name: SystemSessionDeleteExpired :execrows
-- Deletes up to max_rows expired sessions.
DELETE FROM sessions WHERE token IN (SELECT token FROM sessions AS old WHERE old.expiry < @now LIMIT @max_rows);

-- name: SystemSessionFind :one
-- The data of a session that has not expired.
SELECT data FROM sessions WHERE token = @token AND now() < expiry;

-- name: SystemSessionSave :exec
-- Creates or replaces a session.
INSERT INTO sessions (token, data, expiry) VALUES (@token, @data, @expiry)
ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry;

-- name: SystemSessionDelete :exec
-- Ends a session.
DELETE FROM sessions WHERE token = @token;
