-- Removing users from workspaces, and deleting them.

-- +goose Up
-- Sessions that began before this time are over; null for no bound.
ALTER TABLE users ADD COLUMN sessions_from timestamptz(3);

-- A deleted user leaves what they created. The audit log keeps their name.
ALTER TABLE memberships
    DROP CONSTRAINT memberships_user_id_fkey,
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE api_tokens
    DROP CONSTRAINT api_tokens_created_by_fkey,
    ADD CONSTRAINT api_tokens_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE operators
    DROP CONSTRAINT operators_user_id_fkey,
    ADD CONSTRAINT operators_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX api_tokens_created_by_idx ON api_tokens (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX operators_user_idx ON operators (user_id) WHERE user_id IS NOT NULL;

-- +goose Down
DROP INDEX operators_user_idx;
DROP INDEX api_tokens_created_by_idx;
ALTER TABLE operators
    DROP CONSTRAINT operators_user_id_fkey,
    ADD CONSTRAINT operators_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE api_tokens
    DROP CONSTRAINT api_tokens_created_by_fkey,
    ADD CONSTRAINT api_tokens_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id);
ALTER TABLE memberships
    DROP CONSTRAINT memberships_user_id_fkey,
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE users DROP COLUMN sessions_from;
