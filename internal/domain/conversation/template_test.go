package conversation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

// orderUpdate is a template with values.
func orderUpdate() conversation.TemplateMessage {
	return conversation.TemplateMessage{
		Name: "order_update", Language: "en", Parameters: []string{"Anna", "7"},
		Definition: &provider.Template{Name: "order_update", Language: "en", Body: "Hello {{1}}, your order {{2}} is on its way."},
	}
}

// templated is a fixture whose channel has templates, and a reply window that has closed.
func templated(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	f.conversations.Providers = provider.Registry{api.ChannelTypeTELEGRAM: ruled{rules: provider.Rules{MaxLength: 4096, Window: time.Hour, Templates: true}}}
	return f
}

func TestATemplateIsStoredAfterTheWindow(t *testing.T) {
	t.Parallel()
	f := templated(t)
	subject := f.open(t, handedOff)
	f.Clock.Advance(2 * time.Hour)
	require.True(t, f.get(t, subject).Policy.TemplateRequired)
	channelID, err := f.conversations.TemplateChannel(t.Context(), f.Ours, subject)
	require.NoError(t, err)
	require.Equal(t, f.channel, channelID)
	stored, err := f.conversations.SendTemplate(t.Context(), f.DB, f.Ours, subject, orderUpdate())
	require.NoError(t, err)
	require.Equal(t, "Hello Anna, your order 7 is on its way.", stored.Content)
	require.Equal(t, api.MessageAuthorTypeOPERATOR, stored.AuthorType)
	require.Equal(t, api.DeliveryStatusQUEUED, stored.DeliveryStatus)
	require.Equal(t, 1, f.Count(t, `SELECT count(*) FROM outbound_messages WHERE message_id = $1
		AND template = '{"name": "order_update", "language": "en", "parameters": [{"text": "Anna"}, {"text": "7"}]}'`, stored.ID))
	events := f.Events(t, f.Ours)
	require.Equal(t, []api.EventType{api.EventTypeMessageCreated}, types(events))
	require.Equal(t, &stored.CreatedAt, f.get(t, subject).Conversation.FirstOperatorReplyAt, "it is a reply of an operator")

	unknown := orderUpdate()
	unknown.Definition = nil
	stored, err = f.conversations.SendTemplate(t.Context(), f.DB, f.Ours, subject, unknown)
	require.NoError(t, err)
	require.Equal(t, "order_update: Anna, 7", stored.Content)
	unknown.Parameters = nil
	stored, err = f.conversations.SendTemplate(t.Context(), f.DB, f.Ours, subject, unknown)
	require.NoError(t, err)
	require.Equal(t, "order_update", stored.Content)
}

// TestATemplateIsRefused: nothing is stored then.
func TestATemplateIsRefused(t *testing.T) {
	t.Parallel()
	f := templated(t)
	theirs := f.Conversation(t, f.Theirs, seed.Conversation{Status: handedOff})
	for name, one := range map[string]struct {
		conversation uuid.UUID
		want         error
	}{
		"open":    {f.open(t, open), conversation.ErrNotHandedOff},
		"closed":  {f.open(t, closed), conversation.ErrClosed},
		"absent":  {uuid.New(), postgres.ErrNotFound},
		"foreign": {theirs, postgres.ErrNotFound},
	} {
		_, err := f.conversations.TemplateChannel(t.Context(), f.Ours, one.conversation)
		require.ErrorIs(t, err, one.want, name)
		_, err = f.conversations.SendTemplate(t.Context(), f.DB, f.Ours, one.conversation, orderUpdate())
		require.ErrorIs(t, err, one.want, name)
	}
	subject := f.open(t, handedOff)
	send := func(change func(*conversation.TemplateMessage)) error {
		in := orderUpdate()
		change(&in)
		_, err := f.conversations.SendTemplate(t.Context(), f.DB, f.Ours, subject, in)
		return err
	}
	var wrong *provider.TemplateValuesError
	require.ErrorAs(t, send(func(in *conversation.TemplateMessage) { in.Parameters = in.Parameters[:1] }), &wrong)
	var long *conversation.TooLongError
	require.ErrorAs(t, send(func(in *conversation.TemplateMessage) { in.Parameters[0] = strings.Repeat("x", 4096) }), &long)
	f.Exec(t, "UPDATE contact_identities SET blocked_at = now()")
	var refused *conversation.ReplyRefusedError
	require.ErrorAs(t, send(func(*conversation.TemplateMessage) {}), &refused)
	require.Equal(t, api.ReplyPolicyReasonCONTACTBLOCKED, refused.Policy.Reason)
	f.conversations.Providers = provider.Registry{}
	var none *provider.NoTemplatesError
	require.ErrorAs(t, send(func(*conversation.TemplateMessage) {}), &none)
	require.Zero(t, f.Count(t, "SELECT count(*) FROM messages"))
	require.Zero(t, f.Count(t, "SELECT count(*) FROM outbound_messages"))
	require.Empty(t, f.Events(t, f.Ours))
}
