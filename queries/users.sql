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

-- name: MembershipListUsers :many
-- The members of a workspace, by address.
SELECT users.id, users.email, users.name, memberships.created_at AS joined_at
FROM memberships
JOIN users ON users.id = memberships.user_id
WHERE memberships.workspace_id = @workspace_id
ORDER BY lower(users.email) LIMIT @row_limit;

-- name: MembershipLock :many
-- Which of the users are members, locked until the transaction ends.
SELECT user_id FROM memberships
WHERE workspace_id = @workspace_id AND user_id = ANY(@user_ids::uuid[])
ORDER BY user_id FOR UPDATE;

-- name: MembershipDelete :execrows
-- Removes a user from a workspace.
DELETE FROM memberships WHERE workspace_id = @workspace_id AND user_id = @user_id;

-- name: SystemUserEndSessions :exec
-- Ends all sessions of a user that began before a time.
UPDATE users SET sessions_from = @sessions_from WHERE id = @id;

-- name: SystemUserList :many
-- All users with the slugs of their workspaces, by address. An empty slug selects all users,
-- else the members of that workspace.
SELECT users.id, users.email, users.name, users.created_at,
    coalesce(array_agg(workspaces.slug ORDER BY workspaces.slug) FILTER (WHERE workspaces.id IS NOT NULL), '{}')::text[] AS workspaces
FROM users
LEFT JOIN memberships ON memberships.user_id = users.id
LEFT JOIN workspaces ON workspaces.id = memberships.workspace_id
GROUP BY users.id
HAVING @slug::text = '' OR bool_or(workspaces.slug = @slug::text)
ORDER BY lower(users.email);

-- name: SystemUserDelete :execrows
-- Deletes a user with their memberships. What they created stays.
DELETE FROM users WHERE id = @id;
