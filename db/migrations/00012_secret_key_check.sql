-- Tells at start whether a secret key is the one that secrets were encrypted with.

-- +goose Up
CREATE TABLE secret_key_check (
    -- There is one row.
    id      boolean PRIMARY KEY DEFAULT true,
    -- A known text, encrypted with the newest secret key.
    sealed  bytea NOT NULL,
    CONSTRAINT secret_key_check_single CHECK (id)
);

-- +goose Down
DROP TABLE secret_key_check;
