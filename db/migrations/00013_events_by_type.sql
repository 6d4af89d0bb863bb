-- +goose Up
-- For tokens that may read some types only: each type is a range.
CREATE INDEX events_type_idx ON events (workspace_id, type, sequence);

-- +goose Down
DROP INDEX events_type_idx;
