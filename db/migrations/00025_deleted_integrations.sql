-- +goose Up
-- Set when an integration is deleted. Its row is deleted later, after its deliveries, which
-- may be too many for one statement.
ALTER TABLE integrations ADD COLUMN deleted_at timestamptz(3);

-- +goose Down
DELETE FROM integrations WHERE deleted_at IS NOT NULL;
ALTER TABLE integrations DROP COLUMN deleted_at;
