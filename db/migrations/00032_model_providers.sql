-- Providers of language models that workspaces have set up.

-- +goose Up
CREATE TABLE model_providers (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    provider      text NOT NULL,
    -- Where the provider's API is; null for the provider's own.
    base_url      text,
    -- Encrypted with the operator's key (see internal/platform/seal); null if there is none.
    api_key       bytea,
    created_at    timestamptz(3) NOT NULL,
    updated_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, provider),
    CONSTRAINT model_providers_provider_check CHECK (provider IN ('openai', 'anthropic'))
);

-- +goose Down
DROP TABLE model_providers;
