-- name: OperatorList :many
-- Operators before before_id, newest first.
SELECT * FROM operators
WHERE workspace_id = @workspace_id AND id < @before_id
ORDER BY id DESC LIMIT @row_limit;

-- name: OperatorExists :one
-- Whether the workspace has this operator.
SELECT EXISTS (SELECT 1 FROM operators WHERE workspace_id = @workspace_id AND id = @id);
