package conversation_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

// channelRow reads the fixture's channel.
func (f *fixture) channelRow(t *testing.T) db.Channel {
	t.Helper()
	return f.channelByID(t, f.channel)
}

func (f *fixture) channelByID(t *testing.T, channelID uuid.UUID) db.Channel {
	t.Helper()
	row, err := db.New().ChannelGet(t.Context(), f.DB, db.ChannelGetParams{WorkspaceID: f.Ours, ID: channelID})
	require.NoError(t, err)
	return row
}

// receive stores a message as the engine does.
func (f *fixture) receive(t *testing.T, in provider.Message) conversation.Received {
	t.Helper()
	received, err := f.tryReceive(t.Context(), f.channelRow(t), conversation.Inbound{Message: in})
	require.NoError(t, err)
	return received
}

func (f *fixture) tryReceive(ctx context.Context, channel db.Channel, in conversation.Inbound) (received conversation.Received, err error) {
	err = postgres.WithTx(ctx, f.DB, func(ctx context.Context, tx postgres.Tx) error {
		received, err = f.conversations.Receive(ctx, tx, channel, provider.Rules{Verified: true}, in)
		return err
	})
	return received, err
}

func message(externalID, text string) provider.Message {
	return provider.Message{ExternalID: externalID, Text: text, From: provider.Identity{ExternalID: "77", Name: "Anna", Phone: "+48 1"}}
}

func types(events []seed.Event) (all []api.EventType) {
	for _, one := range events {
		all = append(all, one.Type)
	}
	return all
}

// TestReceiveInAnEmptyWorkspace: the first message creates contact, identity and conversation.
func TestReceiveInAnEmptyWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	sent := f.Clock.Now().Add(-time.Minute)
	in := message("m1", "Hello")
	in.SentAt, in.Subject = sent, "Shoes"
	first := f.receive(t, in)
	require.False(t, first.Duplicate)
	require.Equal(t, []api.EventType{api.EventTypeContactCreated, api.EventTypeConversationCreated, api.EventTypeMessageCreated}, types(f.Events(t, f.Ours)))

	found := f.get(t, first.Conversation.ID)
	require.Equal(t, api.ConversationStatusOPEN, found.Conversation.Status)
	require.Equal(t, f.agent, found.Conversation.AgentID, "the agent of the channel has it")
	require.Equal(t, "Anna", *found.Contact.Name)
	require.Equal(t, "Shoes", *found.Conversation.Subject)
	require.Equal(t, sent, found.Conversation.LastInboundAt.UTC(), "reply windows count from when the contact wrote")
	require.Equal(t, []db.Message{first.Message}, f.messages(t, first.Conversation.ID))
	require.Equal(t, api.DeliveryStatusRECEIVED, first.Message.DeliveryStatus)
	require.Equal(t, "m1", *first.Message.ExternalID)
	require.Equal(t, found.Conversation.Revision, first.Message.Revision)
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM contact_identities WHERE external_id = '77' AND verified"))
	require.Equal(t, 1, f.Count(t, "SELECT n FROM analytics_deltas WHERE workspace_id = $1 AND kind = 'opened'", f.Ours))

	f.Clock.Advance(time.Minute)
	second := f.receive(t, message("m2", "Are you there?"))
	require.Equal(t, first.Conversation.ID, second.Conversation.ID, "the conversation goes on")
	require.Greater(t, second.Message.Revision, first.Message.Revision)
	require.Equal(t, []api.EventType{api.EventTypeMessageCreated}, types(f.Events(t, f.Ours)[3:]))
}

func TestReceiveIgnoresDuplicates(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first := f.receive(t, message("m1", "Hello"))
	before := f.Events(t, f.Ours)
	again := f.receive(t, message("m1", "Hello, changed"))
	require.True(t, again.Duplicate)
	require.Equal(t, first.Message, again.Message)
	require.Equal(t, before, f.Events(t, f.Ours))
	// After an erasure, a provider may send the message again: it must not come back.
	f.Exec(t, "DELETE FROM contact_identities")
	require.True(t, f.receive(t, message("m1", "Hello")).Duplicate)
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM contacts"))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM messages"))
	// The same ID in another channel is another message.
	other := f.channelByID(t, f.Channel(t, f.Ours, f.agent, api.ChannelTypeSMS))
	elsewhere, err := f.tryReceive(t.Context(), other, conversation.Inbound{Message: message("m1", "Hello")})
	require.NoError(t, err)
	require.False(t, elsewhere.Duplicate)
}

// TestConcurrentMessagesBeginOneConversation delivers the first messages of a contact, some of
// them twice, at the same time.
func TestConcurrentMessagesBeginOneConversation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	channel := f.channelRow(t)
	const messages = 6
	var senders sync.WaitGroup
	errs := make(chan error, 2*messages)
	for i := range 2 * messages {
		senders.Go(func() {
			_, err := f.tryReceive(t.Context(), channel, conversation.Inbound{Message: message(fmt.Sprint("m", i%messages), "Hello")})
			errs <- err
		})
	}
	senders.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM contacts"))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM conversations"))
	require.Equal(t, messages, f.Count(t, "SELECT count(*) FROM messages"))
	require.Equal(t, messages, f.Count(t, "SELECT count(DISTINCT revision) FROM messages"), "revisions follow each other")
	require.Equal(t, messages, f.Count(t, "SELECT revision FROM conversations"))
	counts := map[api.EventType]int{}
	for _, kind := range types(f.Events(t, f.Ours)) {
		counts[kind]++
	}
	require.Equal(t, map[api.EventType]int{api.EventTypeContactCreated: 1, api.EventTypeConversationCreated: 1, api.EventTypeMessageCreated: messages}, counts)
}

func TestAClosedConversationIsFollowedByANewOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first := f.receive(t, message("m1", "Hello"))
	_, err := f.conversations.Close(t.Context(), f.DB, f.Ours, first.Conversation.ID)
	require.NoError(t, err)
	second := f.receive(t, message("m2", "Hello again"))
	require.NotEqual(t, first.Conversation.ID, second.Conversation.ID)
	require.Equal(t, first.Conversation.ContactID, second.Conversation.ContactID)
}

func TestThreadsContinueTheirConversation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first := f.receive(t, message("m1", "Hello"))
	_, err := f.conversations.Close(t.Context(), f.DB, f.Ours, first.Conversation.ID)
	require.NoError(t, err)
	token := f.conversations.Addresses.Token(first.Conversation)
	require.Regexp(t, "^[a-z2-7]{42}$", token)
	for name, in := range map[string]provider.Message{
		"by token":               {ConversationToken: token},
		"by token in capitals":   {ConversationToken: strings.ToUpper(token)},
		"by a known reference":   {References: []string{"unknown", "m1"}},
		"by the provider thread": {Thread: "thread-1"},
	} {
		f.Exec(t, "UPDATE conversations SET status = 'CLOSED', thread_external_id = 'thread-1' WHERE id = $1", first.Conversation.ID)
		before := len(f.Events(t, f.Ours))
		in.ExternalID, in.Text, in.From = name, "Hello again", provider.Identity{ExternalID: "77"}
		next := f.receive(t, in)
		require.Equal(t, first.Conversation.ID, next.Conversation.ID, name)
		require.Equal(t, api.ConversationStatusOPEN, next.Conversation.Status, name)
		require.Equal(t, []api.EventType{api.EventTypeConversationReopened, api.EventTypeMessageCreated}, types(f.Events(t, f.Ours)[before:]), name)
	}
	// Another thread begins another conversation, also of the same contact.
	other := message("m9", "Another topic")
	other.Thread = "thread-2"
	require.NotEqual(t, first.Conversation.ID, f.receive(t, other).Conversation.ID)
	// A token is of no use in another channel, nor if it was altered.
	sms := f.channelByID(t, f.Channel(t, f.Ours, f.agent, api.ChannelTypeSMS))
	forged := "a" + token[1:]
	if forged == token {
		forged = "b" + token[1:]
	}
	in := message("m10", "Hello")
	in.ConversationToken = token
	elsewhere, err := f.tryReceive(t.Context(), sms, conversation.Inbound{Message: in})
	require.NoError(t, err)
	require.NotEqual(t, first.Conversation.ID, elsewhere.Conversation.ID)
	in.ExternalID, in.ConversationToken, in.From.ExternalID = "m11", forged, "78"
	require.NotEqual(t, first.Conversation.ID, f.receive(t, in).Conversation.ID)
}

func TestAliasesAreTheSameContact(t *testing.T) {
	t.Parallel()
	f := setup(t)
	in := message("m1", "Hello")
	in.From = provider.Identity{ExternalID: "+48600", Aliases: []string{"user-1"}}
	first := f.receive(t, in)
	in = message("m2", "Now without a number")
	in.From = provider.Identity{ExternalID: "user-1"}
	second := f.receive(t, in)
	require.Equal(t, first.Conversation.ID, second.Conversation.ID)
	in = message("m3", "With another one")
	in.From = provider.Identity{ExternalID: "+48700", Aliases: []string{"user-1"}}
	third := f.receive(t, in)
	require.Equal(t, first.Conversation.ID, third.Conversation.ID)
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM contacts"))
	require.Equal(t, 3, f.Count(t, "SELECT count(*) FROM contact_identities"))
	// Identities of different channels are never merged by themselves.
	sms := f.channelByID(t, f.Channel(t, f.Ours, f.agent, api.ChannelTypeSMS))
	_, err := f.tryReceive(t.Context(), sms, conversation.Inbound{Message: in})
	require.NoError(t, err)
	require.Equal(t, 2, f.Count(t, "SELECT count(*) FROM contacts"))
}

// TestWhatAContactClaimsMergesNothing receives messages of senders who claim to have the
// address of a verified contact.
func TestWhatAContactClaimsMergesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	receive := func(externalID string, verified bool) conversation.Received {
		in := message("m-"+externalID, "Hello")
		in.From = provider.Identity{ExternalID: externalID, Name: "Anna", Email: "anna@example.com", Phone: "+48600", Verified: verified}
		var received conversation.Received
		require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
			received, err = f.conversations.Receive(ctx, tx, f.channelRow(t), provider.Rules{}, conversation.Inbound{Message: in})
			return err
		}))
		return received
	}
	first, second, third := receive("customer-1", true), receive("visitor-1", false), receive("customer-2", true)
	require.Equal(t, 3, f.Count(t, "SELECT count(DISTINCT contact_id) FROM contact_identities"))
	require.NotEqual(t, first.Conversation.ID, second.Conversation.ID)
	require.NotEqual(t, first.Conversation.ID, third.Conversation.ID)
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM contact_identities WHERE external_id = 'visitor-1' AND NOT verified"))
	require.Equal(t, 2, f.Count(t, "SELECT count(*) FROM contact_identities WHERE verified"))
}

func TestReceivedTextIsCutAndNeverRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	in := message(strings.Repeat("id", 2_000), "a\x00b\xffc"+strings.Repeat("🦊", 20_000))
	in.From.Name, in.From.Email, in.Subject = strings.Repeat("n", 1_000), strings.Repeat("e", 1_000), strings.Repeat("s", 5_000)
	stored := f.receive(t, in)
	require.Equal(t, 10_000, utf8.RuneCountInString(stored.Message.Content))
	require.True(t, strings.HasPrefix(stored.Message.Content, "ab\uFFFDc🦊"))
	require.True(t, strings.HasSuffix(stored.Message.Content, "🦊 […]"))
	require.True(t, f.receive(t, in).Duplicate, "long IDs are compared by their hash")
	found := f.get(t, stored.Conversation.ID)
	require.Equal(t, 200, utf8.RuneCountInString(*found.Contact.Name))
	require.Equal(t, 254, utf8.RuneCountInString(*found.Contact.Email))
	require.Equal(t, 1_000, utf8.RuneCountInString(*found.Conversation.Subject))
}

func TestAttachmentsAndRepliesAreStored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first := f.receive(t, message("m1", "Hello"))
	in := conversation.Inbound{Message: message("m2", "See this"), BlobKeys: []string{"", "attachments/a"}}
	in.ReplyTo, in.ClientMessageID = "m1", "c-2"
	in.Attachments = []provider.Attachment{
		{Type: provider.Image, Name: "shoe.jpg", ContentType: "image/jpeg", SizeBytes: -1, ExternalID: "file-1"},
		{Type: provider.Other, Content: []byte("text"), SizeBytes: 4},
	}
	second, err := f.tryReceive(t.Context(), f.channelRow(t), in)
	require.NoError(t, err)
	require.Equal(t, &first.Message.ID, second.Message.ReplyToID)
	require.Equal(t, "c-2", *second.Message.ClientMessageID)
	require.Equal(t, api.AttachmentStatePENDING, second.Attachments[0].State)
	require.Nil(t, second.Attachments[0].SizeBytes)
	require.Equal(t, "file-1", *second.Attachments[0].ExternalID)
	require.Equal(t, api.AttachmentStateSTORED, second.Attachments[1].State)
	require.Equal(t, int64(4), *second.Attachments[1].SizeBytes)
	require.Equal(t, "application/octet-stream", *second.Attachments[1].ContentType)
	shown, err := f.conversations.Message(t.Context(), f.Ours, second.Conversation.ID, second.Message.ID)
	require.NoError(t, err)
	require.Equal(t, second.Attachments, shown.Attachments)
	events := f.Events(t, f.Ours)
	require.Contains(t, string(events[len(events)-1].Data), `"name":"shoe.jpg"`)

	finish := func(file *conversation.Fetched, attachment db.Attachment) {
		require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
			return f.conversations.FinishAttachment(ctx, tx, f.Ours, attachment.MessageID, attachment.ID, file)
		}))
	}
	finish(&conversation.Fetched{BlobKey: "attachments/b", ContentType: "image/png", SizeBytes: 9}, second.Attachments[0])
	finish(nil, second.Attachments[0]) // it is not pending any more
	finish(nil, second.Attachments[1])
	shown, err = f.conversations.Message(t.Context(), f.Ours, second.Conversation.ID, second.Message.ID)
	require.NoError(t, err)
	require.Equal(t, api.AttachmentStateSTORED, shown.Attachments[0].State)
	require.Equal(t, "image/png", *shown.Attachments[0].ContentType)
	require.Equal(t, second.Message.Revision+1, shown.Revision)
}

func TestEditsAndRemovals(t *testing.T) {
	t.Parallel()
	f := setup(t)
	stored := f.receive(t, message("m1", "Helo"))
	channel := f.channelRow(t)
	edit := func(in provider.Edit) (known bool) {
		require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
			known, err = f.conversations.ApplyEdit(ctx, tx, channel, in)
			return err
		}))
		return known
	}
	f.Clock.Advance(time.Minute)
	require.True(t, edit(provider.Edit{ExternalID: "m1", Text: "Hello", At: f.Clock.Now().Add(time.Hour)}))
	after := f.messages(t, stored.Conversation.ID)[0]
	require.Equal(t, "Hello", after.Content)
	require.Equal(t, f.Clock.Now(), after.EditedAt.UTC(), "not in the future")
	require.Greater(t, after.Revision, stored.Message.Revision)
	require.True(t, edit(provider.Edit{ExternalID: "m1", Removed: true}))
	removed := f.messages(t, stored.Conversation.ID)[0]
	require.Empty(t, removed.Content)
	require.NotNil(t, removed.RedactedAt)
	require.True(t, edit(provider.Edit{ExternalID: "m1", Text: "Late edit"}))
	require.Equal(t, removed, f.messages(t, stored.Conversation.ID)[0], "what was removed stays so")
	require.False(t, edit(provider.Edit{ExternalID: "unknown", Text: "x"}))
	require.Equal(t, removed.Revision, f.get(t, stored.Conversation.ID).Conversation.Revision)
}

func TestThreadsThatEndCloseTheirConversation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	call := message("m1", "Hello")
	call.Thread = "CA1"
	stored := f.receive(t, call)
	other := f.receive(t, message("m2", "Another one"))
	channel := f.channelRow(t)
	end := func(thread string) (known bool) {
		require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
			known, err = f.conversations.ApplyEnd(ctx, tx, channel, provider.End{Thread: thread})
			return err
		}))
		return known
	}
	require.True(t, end("CA1"))
	require.True(t, end("CA1"), "it is reported again")
	require.Equal(t, api.ConversationStatusCLOSED, f.get(t, stored.Conversation.ID).Conversation.Status)
	require.False(t, end("unknown"))
	require.False(t, end(""))
	require.Equal(t, api.ConversationStatusOPEN, f.get(t, other.Conversation.ID).Conversation.Status)
	var closed int
	for _, one := range f.Events(t, f.Ours) {
		if one.Type == api.EventTypeConversationClosed {
			closed++
		}
	}
	require.Equal(t, 1, closed)
}

func TestBlocksEndTheReplyPolicy(t *testing.T) {
	t.Parallel()
	f := setup(t)
	stored := f.receive(t, message("m1", "Hello"))
	channel := f.channelRow(t)
	block := func(on bool) {
		require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
			return f.conversations.ApplyBlock(ctx, tx, channel, provider.Block{From: "77", On: on})
		}))
	}
	require.True(t, f.get(t, stored.Conversation.ID).Policy.Open)
	block(true)
	require.Equal(t, api.ReplyPolicyReasonCONTACTBLOCKED, f.get(t, stored.Conversation.ID).Policy.Reason)
	block(false)
	require.True(t, f.get(t, stored.Conversation.ID).Policy.Open)
	block(true)
	f.receive(t, message("m2", "I am back"))
	require.True(t, f.get(t, stored.Conversation.ID).Policy.Open, "a contact who writes has not blocked the channel")
}

// TestReceiveRollsBackWithItsEvents: nothing is stored without its events.
func TestReceiveRollsBackWithItsEvents(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.conversations.Events = &event.Recorder{IDs: f.IDs, Encode: func(event.Payload) ([]byte, error) { return nil, context.Canceled }}
	_, err := f.tryReceive(t.Context(), f.channelRow(t), conversation.Inbound{Message: message("m1", "Hello")})
	require.ErrorIs(t, err, context.Canceled)
	for _, table := range []string{"contacts", "contact_identities", "conversations", "messages", "message_external_ids"} {
		require.Zero(t, f.Count(t, "SELECT count(*) FROM "+table), table)
	}
}
