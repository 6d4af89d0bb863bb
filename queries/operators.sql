-- name: OperatorList :many
-- Operators before before_id, newest first.
SELECT * FROM operators
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: OperatorExists :one
-- Whether the workspace has this operator.
SELECT EXISTS (SELECT 1 FROM operators WHERE workspace_id = @workspace_id AND id = @id);

-- name: OperatorGet :one
-- One operator, with the address of the user it is linked to.
SELECT sqlc.embed(operators), users.email FROM operators
LEFT JOIN users ON users.id = operators.user_id
WHERE operators.workspace_id = @workspace_id AND operators.id = @id;

-- name: OperatorOfUser :one
-- The operator that is linked to a user.
SELECT * FROM operators WHERE workspace_id = @workspace_id AND user_id = @user_id::uuid;

-- name: OperatorLock :one
-- One operator, locked until the transaction ends.
SELECT * FROM operators WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: OperatorCreate :exec
-- Creates an operator; violates operators_user_key if another is linked to the user.
INSERT INTO operators (workspace_id, id, name, user_id, created_at)
VALUES (@workspace_id, @id, @name, sqlc.narg('user_id'), @created_at);

-- name: OperatorUpdate :exec
-- Replaces the name of an operator and its user; violates operators_user_key like OperatorCreate.
UPDATE operators SET name = @name, user_id = sqlc.narg('user_id') WHERE workspace_id = @workspace_id AND id = @id;

-- name: MemberByEmail :one
-- The user with an address in any case who is a member of the workspace.
SELECT users.id FROM users
JOIN memberships ON memberships.user_id = users.id
WHERE memberships.workspace_id = @workspace_id AND lower(users.email) = lower(@email::text);
