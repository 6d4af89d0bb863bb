-- +goose Up
-- The form of a name by which tags are compared (see internal/platform/label). lower()
-- depends on the locale of the database, and knows no other forms of characters. Tags
-- from before this migration have none.
ALTER TABLE tags ADD COLUMN name_key text;
DROP INDEX tags_name_key;
CREATE UNIQUE INDEX tags_name_key ON tags (workspace_id, coalesce(name_key, lower(name)));

-- +goose Down
DROP INDEX tags_name_key;
ALTER TABLE tags DROP COLUMN name_key;
CREATE UNIQUE INDEX tags_name_key ON tags (workspace_id, lower(name));
