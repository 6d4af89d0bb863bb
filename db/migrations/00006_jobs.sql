-- The tables in it are River's own and made by River's migrations.

-- +goose Up
CREATE SCHEMA river;

-- +goose Down
DROP SCHEMA river CASCADE;
