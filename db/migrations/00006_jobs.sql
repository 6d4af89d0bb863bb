-- River's migrations create the tables in it.

-- +goose Up
CREATE SCHEMA river;

-- +goose Down
DROP SCHEMA river CASCADE;
