-- Files that visitors have uploaded in the chat widget, until they send them.

-- +goose Up
CREATE TABLE widget_uploads (
    workspace_id  uuid NOT NULL,
    id            uuid NOT NULL,
    channel_id    uuid NOT NULL,
    -- The visitor, as the channel will know them; there may be no identity yet.
    external_id   text NOT NULL,
    name          text,
    content_type  text NOT NULL,
    size_bytes    bigint NOT NULL,
    blob_key      text NOT NULL,
    created_at    timestamptz(3) NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT widget_uploads_channel_fkey FOREIGN KEY (workspace_id, channel_id) REFERENCES channels (workspace_id, id)
);
-- What was not sent in time is deleted.
CREATE INDEX widget_uploads_created_idx ON widget_uploads (created_at);

-- +goose Down
DROP TABLE widget_uploads;
