-- name: SystemOutboundChannelList :many
-- Channels with messages that are due. Those of a deleted or failing channel, or of one
-- without credentials, are not sent, and end when they are too old.
SELECT * FROM channels
WHERE (workspace_id, id) IN (SELECT due.of_workspace, due.channel FROM due_channels(@now::timestamptz) AS due)
  AND status = 'CONNECTED' AND deleted_at IS NULL AND (credentials IS NOT NULL OR type = 'WEBSITE');

-- name: OutboundClaim :many
-- Leases due messages of a channel: of each conversation the oldest alone, so that its order
-- is kept; or those of one conversation, for the process that holds it. The function sees
-- messages that were committed after this statement began, so that OutboundClaimedList must
-- read them in another one.
SELECT claimed.message::uuid AS message_id
FROM channels
CROSS JOIN LATERAL claim_messages(channels.workspace_id, channels.id, @now::timestamptz, @until::timestamptz, @pace_milliseconds::integer, @row_limit::integer, sqlc.narg('conversation_id')::uuid) AS claimed
WHERE channels.workspace_id = @workspace_id AND channels.id = @channel_id;

-- name: OutboundClaimedList :many
-- Claimed messages with what is needed to send them. in_doubt says that a worker died while it
-- called the provider: the message may have been sent.
SELECT outbound_messages.message_id, outbound_messages.conversation_id, outbound_messages.tries, outbound_messages.parts_sent,
    (outbound_messages.sending_since IS NOT NULL)::boolean AS in_doubt, outbound_messages.template,
    EXISTS (SELECT 1 FROM attachments WHERE attachments.workspace_id = messages.workspace_id AND attachments.message_id = messages.id)::boolean AS has_attachments,
    sqlc.embed(messages), sqlc.embed(conversations), identities.address, identities.blocked_at
FROM outbound_messages
JOIN messages ON messages.workspace_id = outbound_messages.workspace_id AND messages.id = outbound_messages.message_id
JOIN conversations ON conversations.workspace_id = outbound_messages.workspace_id AND conversations.id = outbound_messages.conversation_id
LEFT JOIN contact_identities AS identities ON identities.workspace_id = conversations.workspace_id
  AND identities.channel_id = conversations.channel_id AND identities.external_id = conversations.identity_external_id
WHERE outbound_messages.workspace_id = @workspace_id AND outbound_messages.message_id = ANY(@message_ids::uuid[]) AND outbound_messages.leased_until = @leased_until
ORDER BY outbound_messages.message_id;

-- name: OutboundMarkSending :execrows
-- Records that the provider is about to be called; 0 rows if the lease was lost.
UPDATE outbound_messages SET sending_since = @now::timestamptz
WHERE workspace_id = @workspace_id AND message_id = @message_id AND leased_until = @leased_until;

-- name: OutboundRecordPart :execrows
-- Records that a part was sent; 0 rows if the lease was lost.
UPDATE outbound_messages SET parts_sent = @parts_sent, sending_since = NULL
WHERE workspace_id = @workspace_id AND message_id = @message_id AND leased_until = @leased_until;

-- name: OutboundRelease :exec
-- Gives back a message that was claimed and not sent.
UPDATE outbound_messages SET leased_until = NULL, tries = tries - 1
WHERE workspace_id = @workspace_id AND message_id = @message_id AND leased_until = @leased_until AND sending_since IS NULL;

-- name: OutboundReschedule :execrows
-- Ends the lease of a message, which is sent again later; 0 rows if the lease was lost.
UPDATE outbound_messages SET leased_until = NULL, sending_since = NULL, next_attempt_at = @next_attempt_at::timestamptz
WHERE workspace_id = @workspace_id AND message_id = @message_id AND leased_until = @leased_until;

-- name: OutboundDelete :one
-- Removes a message from the queue, and lets the next one of its conversation, which is locked,
-- wait as long as the provider demands; false, or no row, if the lease was lost.
SELECT dequeue_message(workspace_id, message_id, sqlc.narg('leased_until')::timestamptz, @next_at::timestamptz)::boolean AS removed
FROM outbound_messages WHERE workspace_id = @workspace_id AND message_id = @message_id;

-- name: ChannelDeferSends :exec
-- Sends nothing through a channel before a time, as its provider asks.
UPDATE channels SET next_send_at = greatest(next_send_at, @until::timestamptz)
WHERE workspace_id = @workspace_id AND id = @id;

-- name: ChannelRecordSuccess :exec
-- Records that a channel works again.
UPDATE channels SET failures = 0, error_code = NULL, error_message = NULL, error_at = NULL
WHERE workspace_id = @workspace_id AND id = @id AND (failures > 0 OR error_code IS NOT NULL) AND status = 'CONNECTED';

-- name: ChannelRecordFailure :exec
-- Records a failed send. fatal says that nothing can be sent until the channel is repaired.
UPDATE channels SET
    failures = failures + 1, error_code = @error_code, error_message = @error_message, error_at = @at,
    status = CASE WHEN @fatal::boolean AND status = 'CONNECTED' THEN 'ERROR' ELSE status END,
    updated_at = CASE WHEN @fatal::boolean AND status = 'CONNECTED' THEN @at ELSE updated_at END
WHERE workspace_id = @workspace_id AND id = @id;

-- name: SystemOutboundExpiredList :many
-- Messages that have been queued for too long, or whose channel was deleted, oldest first.
SELECT outbound_messages.workspace_id, outbound_messages.message_id, outbound_messages.conversation_id, outbound_messages.leased_until, channels.deleted_at, channels.error_code, channels.error_message
FROM outbound_messages
JOIN channels ON channels.workspace_id = outbound_messages.workspace_id AND channels.id = outbound_messages.channel_id
JOIN messages ON messages.workspace_id = outbound_messages.workspace_id AND messages.id = outbound_messages.message_id
WHERE (channels.deleted_at IS NOT NULL OR messages.created_at < @before)
  AND (outbound_messages.leased_until IS NULL OR outbound_messages.leased_until <= @now::timestamptz)
ORDER BY outbound_messages.message_id LIMIT @row_limit;

-- name: MessageExternalIDListBefore :many
-- The provider's IDs of the messages of a conversation before one, newest first.
SELECT id, external_id FROM messages
WHERE workspace_id = @workspace_id AND conversation_id = @conversation_id AND id < @before_id AND external_id IS NOT NULL
ORDER BY id DESC LIMIT @row_limit;

-- name: MessageCountAutomatic :one
-- How many messages agents have sent to a contact of a channel between two messages, in all
-- conversations. Those that failed do not count.
SELECT count(*) FROM messages
JOIN conversations ON conversations.workspace_id = messages.workspace_id AND conversations.id = messages.conversation_id
WHERE conversations.workspace_id = @workspace_id AND conversations.channel_id = @channel_id
  AND conversations.identity_external_id = @external_id::text
  AND messages.id > @after_id AND messages.id < @before_id
  AND messages.author_type = 'AGENT' AND messages.delivery_status <> 'FAILED';

-- name: ConversationHold :execrows
-- Leases a conversation whose messages this process sends over a connection, from who held it.
UPDATE conversations SET held_by = @holder, held_until = @until::timestamptz
WHERE workspace_id = @workspace_id AND id = @id;

-- name: ConversationRenewHold :execrows
-- Renews the lease of a conversation; 0 rows if another connection has it.
UPDATE conversations SET held_until = @until::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND held_by = @holder;

-- name: ConversationReleaseHold :exec
-- Ends the lease of a conversation, unless another connection has it.
UPDATE conversations SET held_by = NULL, held_until = NULL
WHERE workspace_id = @workspace_id AND id = @id AND held_by = @holder;
