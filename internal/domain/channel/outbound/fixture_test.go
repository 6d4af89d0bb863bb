package outbound_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/outbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/testing/seed"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// script is a provider that does what a test says.
type script struct {
	rules provider.Rules
	send  func(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error)

	mu   sync.Mutex
	sent []provider.Outbound
}

func (*script) Type() api.ChannelType                        { return api.ChannelTypeTELEGRAM }
func (s *script) Rules() provider.Rules                      { return s.rules }
func (*script) Addresses() []provider.Address                { return nil }
func (*script) Validate(provider.Channel) []provider.Invalid { return nil }

func (*script) Receive(provider.Channel, provider.Request) (provider.Received, error) {
	return provider.Received{}, provider.ErrUnauthenticated
}

func (*script) Check(context.Context, provider.Channel) (string, error) { return "", nil }

// Send implements provider.Provider.
func (s *script) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	s.mu.Lock()
	s.sent = append(s.sent, m)
	s.mu.Unlock()
	if s.send != nil {
		return s.send(ctx, c, m)
	}
	return provider.Sent{ExternalIDs: []string{m.Key}}, nil
}

// texts are the texts that were sent, in their order.
func (s *script) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := make([]string, len(s.sent))
	for i, m := range s.sent {
		texts[i] = m.Text
	}
	return texts
}

type fixture struct {
	*seed.World

	script        *script
	conversations *conversation.Service
	agent         uuid.UUID
	channel       uuid.UUID
	engine        *outbound.Engine
	box           *seal.Box
}

func setup(t *testing.T, rules provider.Rules) *fixture {
	t.Helper()
	f := &fixture{World: seed.New(t), script: &script{rules: rules}}
	f.Clock.Advance(123_456 * time.Nanosecond) // the database stores milliseconds
	if f.script.rules.Timeout == 0 {
		f.script.rules.Timeout = time.Minute
	}
	f.agent = f.Agent(t, f.Ours, "Concierge")
	registry := provider.NewRegistry(f.script)
	f.conversations = &conversation.Service{
		DB: f.DB, IDs: f.IDs, Clock: f.Clock, Pages: f.Pages, Events: f.Recorder,
		Providers: registry, Addresses: conversation.NewAddresses([]byte("fixture")),
	}
	box, err := seal.New([]byte("a key that is long enough for this"), "test")
	require.NoError(t, err)
	f.box = box
	f.channel = f.connect(t, f.Ours, f.agent)
	f.engine = outbound.New(outbound.Options{
		DB: f.DB, Claims: f.DB, Channels: &channel.Opener{DB: f.DB, Box: box, Providers: registry}, Conversations: f.conversations,
		Clock: f.Clock, Log: slog.New(slog.DiscardHandler), Wake: wake.NewSignal(), Poll: 10 * time.Millisecond,
	})
	return f
}

// connect inserts a channel with credentials.
func (f *fixture) connect(t *testing.T, space, agent uuid.UUID) uuid.UUID {
	t.Helper()
	id := f.Channel(t, space, agent, api.ChannelTypeTELEGRAM)
	f.Exec(t, "UPDATE channels SET credentials = $1 WHERE id = $2", f.box.Seal("{}", channel.CredentialsContext(space, id)), id)
	return id
}

// run runs the engine until the test ends, or until the returned function is called.
func (f *fixture) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.engine.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func (f *fixture) open(t *testing.T) uuid.UUID {
	t.Helper()
	return f.Conversation(t, f.Ours, seed.Conversation{Agent: f.agent, Channel: f.channel, Status: api.ConversationStatusHANDEDOFF})
}

func (f *fixture) reply(t *testing.T, conversationID uuid.UUID, text string) uuid.UUID {
	t.Helper()
	message, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, conversationID, conversation.Reply{Content: text})
	require.NoError(t, err)
	return message.ID
}

type message struct {
	status   api.DeliveryStatus
	code     *string
	attempts int
	queued   bool
}

func (f *fixture) message(t *testing.T, id uuid.UUID) (m message) {
	t.Helper()
	f.Scan(t, []any{&m.status, &m.code, &m.attempts, &m.queued}, `SELECT delivery_status, error_code, jsonb_array_length(attempts),
		EXISTS (SELECT FROM outbound_messages WHERE message_id = messages.id) FROM messages WHERE id = $1`, id)
	return m
}

// becomes waits until a message has a status, and this many attempts.
func (f *fixture) becomes(t *testing.T, id uuid.UUID, status api.DeliveryStatus, attempts int) message {
	t.Helper()
	var m message
	require.Eventually(t, func() bool {
		m = f.message(t, id)
		return m.status == status && m.attempts == attempts
	}, 30*time.Second, 5*time.Millisecond, "message %s", id)
	return m
}
