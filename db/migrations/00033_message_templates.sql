-- Message templates: what a provider needs to send one.

-- +goose Up
-- The template that a queued message consists of, with the values of its parameters; null for
-- an ordinary message. It is needed until the message is sent, and contains what the contact
-- is told, so it goes with the queue.
ALTER TABLE outbound_messages ADD COLUMN template jsonb;

-- +goose Down
ALTER TABLE outbound_messages DROP COLUMN template;
