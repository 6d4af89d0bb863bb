package channeltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/hooks"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/outbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/testing/seed"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// run is a server with a channel type and its provider's simulator.
type run struct {
	*seed.World

	kind          Type
	box           *seal.Box
	blobs         blob.Store
	opener        *channel.Opener
	conversations *conversation.Service
	sends         *mortal
	agent         uuid.UUID
	api           string // URL of the simulator
	hooks         string // URL of the hooks
	number        int    // of the last contact and message
}

func newRun(t *testing.T, kind Type) *run {
	t.Helper()
	r := &run{World: seed.New(t), kind: kind, sends: &mortal{Provider: kind.Provider, sim: kind.Simulator}}
	r.Clock.Advance(123_456 * time.Nanosecond) // the database stores milliseconds
	var err error
	r.box, err = seal.New([]byte("a key that is long enough for this"), "test")
	require.NoError(t, err)
	r.blobs, err = blob.Directory(t.TempDir())
	require.NoError(t, err)
	r.agent = r.Agent(t, r.Ours, "Concierge")
	registry := provider.NewRegistry(kind.Provider)
	r.conversations = &conversation.Service{
		DB: r.DB, IDs: r.IDs, Clock: r.Clock, Pages: r.Pages, Events: r.Recorder,
		Providers: registry, Addresses: conversation.NewAddresses([]byte("fixture")),
	}
	log := slog.New(slog.DiscardHandler)
	handler := http.NewServeMux()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r.hooks = server.URL + hooks.Path
	r.opener = &channel.Opener{DB: r.DB, Box: r.box, Providers: registry, HookBase: r.hooks}
	receiver := &inbound.Engine{DB: r.DB, IDs: r.IDs, Blobs: r.blobs, Log: log, Channels: r.opener, Conversations: r.conversations}
	handler.Handle(hooks.Path, hooks.New(receiver, ratelimit.NewMemory(r.Clock), r.Clock, log, func(*http.Request) string { return "127.0.0.1" }))
	provides := httptest.NewServer(kind.Simulator)
	t.Cleanup(provides.Close)
	r.api = provides.URL
	if sim, ok := kind.Simulator.(interface{ ServedAt(url string) }); ok {
		sim.ServedAt(r.api)
	}
	return r
}

// next returns a number that is new.
func (r *run) next() int {
	r.number++
	return r.number
}

// connected is a channel of a run, with one contact.
type connected struct {
	*run

	id      uuid.UUID
	contact string
}

// connect inserts a channel that is deleted after the test.
func (r *run) connect(t *testing.T) *connected {
	t.Helper()
	settings := r.kind.Simulator.Settings()
	id := r.Channel(t, r.Ours, r.agent, r.kind.Provider.Type())
	credentials, err := json.Marshal(settings.Credentials)
	require.NoError(t, err)
	r.Exec(t, "UPDATE channels SET credentials = $1, config = $2, api_base_url = $3 WHERE id = $4",
		r.box.Seal(string(credentials), channel.CredentialsContext(r.Ours, id)), settings.Config, r.api, id)
	on := &connected{run: r, id: id, contact: r.kind.Contact(r.next())}
	require.Empty(t, r.kind.Provider.Validate(on.opened(t).Channel), "the simulator's settings are valid")
	t.Cleanup(func() {
		_, err := r.DB.Exec(context.WithoutCancel(t.Context()), "UPDATE channels SET deleted_at = now() WHERE id = $1", id)
		require.NoError(t, err)
	})
	return on
}

func (c *connected) opened(t *testing.T) channel.Opened {
	t.Helper()
	row, err := db.New().ChannelGet(t.Context(), c.DB, db.ChannelGetParams{WorkspaceID: c.Ours, ID: c.id})
	require.NoError(t, err)
	opened, err := c.opener.Open(row)
	require.NoError(t, err)
	return opened
}

// message is a message of the contact.
func (c *connected) message(text string) simulator.Event {
	return simulator.Event{Kind: simulator.Wrote, ID: strconv.Itoa(c.next()), From: c.contact, Name: "Anna Nowak", Text: text, At: c.Clock.Now()}
}

// hook is the request with which the provider reports events now.
func (c *connected) hook(t *testing.T, events ...simulator.Event) simulator.Request {
	t.Helper()
	request, err := c.kind.Simulator.Hook(c.hooks+c.id.String(), c.Clock.Now(), events...)
	require.NoError(t, err)
	return request
}

// post sends a request to the hook, and returns the status of the response.
func (c *connected) post(t *testing.T, in simulator.Request) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), in.Method, in.URL, bytes.NewReader(in.Body))
	require.NoError(t, err)
	request.Header = in.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// report lets the provider report events.
func (c *connected) report(t *testing.T, events ...simulator.Event) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.post(t, c.hook(t, events...)))
}

// texts are the texts that the contact's messages have, in the order of their storage.
func (c *connected) texts(t *testing.T) (texts []string) {
	t.Helper()
	rows, err := c.DB.Query(t.Context(), `SELECT content FROM messages JOIN conversations AS c ON c.id = conversation_id
		WHERE c.channel_id = $1 AND role = 'USER' ORDER BY messages.id`, c.id)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		texts = append(texts, text)
	}
	require.NoError(t, rows.Err())
	return texts
}

// open begins a conversation of the contact that an operator has taken over.
func (c *connected) open(t *testing.T) uuid.UUID {
	t.Helper()
	if _, err := c.kind.Simulator.Hook(c.hooks, c.Clock.Now(), c.message("")); errors.Is(err, simulator.ErrUnsupported) {
		return c.Conversation(t, c.Ours, seed.Conversation{Agent: c.agent, Channel: c.id, Status: api.ConversationStatusHANDEDOFF})
	}
	c.report(t, c.message("Hello"))
	var id uuid.UUID
	c.Scan(t, []any{&id}, "UPDATE conversations SET status = 'HANDED_OFF' WHERE channel_id = $1 RETURNING id", c.id)
	return id
}

// reply queues a message of an operator.
func (c *connected) reply(t *testing.T, conversationID uuid.UUID, text string) uuid.UUID {
	t.Helper()
	message, err := c.conversations.Reply(t.Context(), c.DB, c.Ours, conversationID, conversation.Reply{Content: text})
	require.NoError(t, err)
	return message.ID
}

// send runs the engine until the test ends, or until the returned function is called.
func (r *run) send(t *testing.T) (stop func()) {
	t.Helper()
	engine := outbound.New(outbound.Options{
		DB: r.DB, Claims: r.DB, Channels: &channel.Opener{DB: r.DB, Box: r.box, Providers: provider.NewRegistry(r.sends)}, Conversations: r.conversations,
		Blobs: r.blobs, Clock: r.Clock, Log: slog.New(slog.DiscardHandler), Wake: wake.NewSignal(), Poll: 10 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { engine.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// becomes waits until a message has a status after a number of attempts.
func (r *run) becomes(t *testing.T, id uuid.UUID, status api.DeliveryStatus, attempts int) {
	t.Helper()
	var now string
	require.Eventually(t, func() bool {
		var got api.DeliveryStatus
		var tried int
		r.Scan(t, []any{&got, &tried, &now}, `SELECT delivery_status, jsonb_array_length(attempts), concat_ws(' ', delivery_status, attempts::text)
			FROM messages WHERE id = $1`, id)
		return got == status && tried >= attempts
	}, patience, 5*time.Millisecond, "message is not %s after %d attempts", status, attempts)
}

// code is the error code of a message.
func (r *run) code(t *testing.T, id uuid.UUID) (code string) {
	t.Helper()
	r.Scan(t, []any{&code}, "SELECT coalesce(error_code, '') FROM messages WHERE id = $1", id)
	return code
}

// address is where messages to the contact are sent.
func (c *connected) address(t *testing.T) (to string) {
	t.Helper()
	c.Scan(t, []any{&to}, "SELECT coalesce(max(coalesce(address, external_id)), $2) FROM contact_identities WHERE channel_id = $1", c.id, c.contact)
	return to
}

// accepted are the messages to the contact that the provider has accepted.
func (c *connected) accepted(t *testing.T) (accepted []simulator.Message) {
	t.Helper()
	to := c.address(t)
	for _, m := range c.kind.Simulator.Accepted() {
		if m.To == to {
			accepted = append(accepted, m)
		}
	}
	return accepted
}

// death is the moment at which a worker dies.
type death int

const (
	never death = iota
	dieBefore
	dieAfter
)

// mortal is a provider in whose Send a worker dies, or waits no longer, once.
type mortal struct {
	provider.Provider

	sim  simulator.Simulator
	mu   sync.Mutex
	dies death
}

// Rules are without the times between messages, for which tests would have to wait.
func (m *mortal) Rules() provider.Rules {
	rules := m.Provider.Rules()
	rules.Interval, rules.ContactInterval = 0, 0
	return rules
}

func (m *mortal) die(next death) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dies = next
}

// Send implements provider.Provider. A goroutine that ends leaves in the database what a
// killed process leaves.
func (m *mortal) Send(ctx context.Context, c provider.Channel, message provider.Outbound) (provider.Sent, error) {
	m.mu.Lock()
	dies := m.dies
	m.dies = never
	m.mu.Unlock()
	if dies == dieBefore {
		runtime.Goexit()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if core, ok := m.sim.(interface{ Hanging() <-chan struct{} }); ok {
		go func() {
			select {
			case <-core.Hanging():
				cancel() // as the deadline does
			case <-ctx.Done():
			}
		}()
	}
	sent, err := m.Provider.Send(ctx, c, message)
	if dies == dieAfter {
		runtime.Goexit()
	}
	return sent, err
}
