-- +goose Up
CREATE TABLE leads (
    workspace_id     uuid NOT NULL REFERENCES workspaces (id),
    id               uuid NOT NULL,
    status           text NOT NULL,
    fields           jsonb NOT NULL,
    score            smallint,
    source           text,
    conversation_id  uuid,
    crm_external_id  text,
    created_at       timestamptz(3) NOT NULL,
    updated_at       timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT leads_conversation_fkey FOREIGN KEY (workspace_id, conversation_id)
        REFERENCES conversations (workspace_id, id),
    CONSTRAINT leads_status_check CHECK (status IN ('NEW', 'QUALIFIED', 'CONTACTED', 'WON', 'LOST')),
    CONSTRAINT leads_score_check CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT leads_fields_check CHECK (jsonb_typeof(fields) = 'object')
);
-- One index for each sort and filter that the API offers; newest is the primary key.
-- A missing score is sorted as -1, below every score.
CREATE INDEX leads_status_idx ON leads (workspace_id, status, id);
CREATE INDEX leads_score_idx ON leads (workspace_id, (coalesce(score, '-1'::smallint)), id);
CREATE INDEX leads_status_score_idx ON leads (workspace_id, status, (coalesce(score, '-1'::smallint)), id);

-- +goose Down
DROP TABLE leads;
