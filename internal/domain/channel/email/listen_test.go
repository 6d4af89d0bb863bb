package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/extract"
)

// mailboxServer is an IMAP server with one mailbox, which outlives it.
type mailboxServer struct {
	user   *imapmemserver.User
	server *imapserver.Server
	port   int
	// withoutIdle hides that the server has IDLE.
	withoutIdle bool
}

func newMailbox(t *testing.T) *mailboxServer {
	t.Helper()
	m := &mailboxServer{user: imapmemserver.NewUser(testUser, testPassword)}
	require.NoError(t, m.user.Create("INBOX", nil))
	return m
}

func (m *mailboxServer) serve(t *testing.T, encrypted, startTLS bool) *mailboxServer {
	t.Helper()
	users := imapmemserver.New()
	users.AddUser(m.user)
	options := &imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return users.NewSession(), nil, nil
		},
		Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), InsecureAuth: true,
	}
	if startTLS {
		cert, _ := certificate()
		options.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	m.server = imapserver.New(options)
	listener, port := listen(t, encrypted)
	m.port = port
	if m.withoutIdle {
		listener = &silencing{listener}
	}
	go func() { _ = m.server.Serve(listener) }()
	t.Cleanup(func() { _ = m.server.Close() })
	return m
}

// silencing is a listener whose server seems to lack IDLE.
type silencing struct{ net.Listener }

func (l *silencing) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &silenced{conn}, err
}

type silenced struct{ net.Conn }

func (c *silenced) Write(p []byte) (int, error) {
	return c.Conn.Write(bytes.ReplaceAll(p, []byte(" IDLE"), []byte(" XDLE")))
}

func (m *mailboxServer) channel(t *testing.T, security string) provider.Channel {
	t.Helper()
	return newChannel(t, func(config map[string]any, credentials map[string]string) {
		config["inbound"], config["imap"] = "imap", map[string]any{"host": "127.0.0.1", "port": m.port, "security": security}
		credentials["imapUsername"], credentials["imapPassword"] = testUser, testPassword
	})
}

// put adds a message with an ID to the mailbox.
func (m *mailboxServer) put(t *testing.T, id, body string, at time.Time) {
	t.Helper()
	content := strings.Replace(raw("", body), "a1@example.com", id, 1)
	_, err := m.user.Append("INBOX", literal{bytes.NewReader([]byte(content))}, &imap.AppendOptions{Time: at})
	require.NoError(t, err)
}

type literal struct{ *bytes.Reader }

// Size implements imap.LiteralReader.
func (l literal) Size() int64 { return l.Reader.Size() }

// engine stores what a Listener delivers, as the engine does: each message once.
type engine struct {
	provider *Provider
	ids      chan string
	stored   chan struct{} // told after each delivery
	mu       sync.Mutex
	items    map[string]provider.Message
	order    []string
	state    json.RawMessage
	fail     error
}

func newEngine() *engine {
	p := newProvider()
	// The server of the tests does not report in IDLE what arrived right before it.
	p.idleTime = time.Second
	return &engine{provider: p, ids: make(chan string, 100), stored: make(chan struct{}, 1000), items: map[string]provider.Message{}}
}

func (e *engine) deliver(_ context.Context, items []provider.Item, state json.RawMessage) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil && len(items) > 0 {
		return e.fail
	}
	for _, one := range items {
		message := one.(provider.Message)
		if _, ok := e.items[message.ExternalID]; ok {
			e.order = append(e.order, "again "+message.ExternalID)
			continue
		}
		e.items[message.ExternalID] = message
		e.order = append(e.order, message.ExternalID)
		e.ids <- message.ExternalID
	}
	e.state = state
	e.stored <- struct{}{}
	return nil
}

// listen runs Listen until stop is called, which returns its error.
func (e *engine) listen(t *testing.T, c provider.Channel) (stop func() error) {
	t.Helper()
	e.mu.Lock()
	c.State = e.state
	e.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.provider.Listen(ctx, c, e.deliver) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// begun waits until a new channel has noted where the mailbox begins.
func (e *engine) begun(t *testing.T) {
	t.Helper()
	select {
	case <-e.stored:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the listener has not begun")
	}
}

func (e *engine) next(t *testing.T) string {
	t.Helper()
	select {
	case id := <-e.ids:
		return id
	case <-time.After(20 * time.Second):
		require.Fail(t, "no message arrived")
	}
	return ""
}

func TestMailboxesAreFollowed(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*mailboxServer) (*mailboxServer, string){
		"tls":      func(m *mailboxServer) (*mailboxServer, string) { return m.serve(t, true, false), "tls" },
		"starttls": func(m *mailboxServer) (*mailboxServer, string) { return m.serve(t, false, true), "starttls" },
		"no IDLE": func(m *mailboxServer) (*mailboxServer, string) {
			m.withoutIdle = true
			return m.serve(t, false, false), "none"
		},
	} {
		m, security := serve(newMailbox(t))
		m.put(t, "old@example.com", "before the channel", time.Now())
		e := newEngine()
		e.provider.PollInterval = 5 * time.Millisecond
		stop := e.listen(t, m.channel(t, security))
		e.begun(t)
		for i := range 3 {
			id := fmt.Sprintf("m%d@example.com", i)
			m.put(t, id, "Hello", time.Now())
			require.Equal(t, id, e.next(t), name)
		}
		require.ErrorIs(t, stop(), context.Canceled, name)
		require.Equal(t, []string{"m0@example.com", "m1@example.com", "m2@example.com"}, e.order, name)
		require.Equal(t, "Hello", e.items["m0@example.com"].Text)
	}
}

// TestArrivalsEndIdle has an IDLE that lasts longer than the test.
func TestArrivalsEndIdle(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	e.provider.idleTime = time.Hour
	e.listen(t, m.channel(t, "none"))
	e.begun(t)
	for i := range 20 {
		m.put(t, fmt.Sprintf("m%d@example.com", i), "Hello", time.Now())
		select {
		case <-e.ids:
			return
		case <-time.After(time.Second): // it arrived right before IDLE: see newEngine
		}
	}
	require.Fail(t, "no message arrived")
}

func TestNothingIsLostOrDoubledByReconnecting(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	first := e.listen(t, m.channel(t, "none"))
	e.begun(t)
	m.put(t, "m0@example.com", "Hello", time.Now())
	require.Equal(t, "m0@example.com", e.next(t))
	require.NoError(t, m.server.Close()) // the connection breaks
	m.put(t, "m1@example.com", "Hello", time.Now())
	m.serve(t, false, false)
	require.Error(t, first())
	m.put(t, "m2@example.com", "Hello", time.Now())
	e.listen(t, m.channel(t, "none"))
	require.Equal(t, "m1@example.com", e.next(t))
	require.Equal(t, "m2@example.com", e.next(t))
	m.put(t, "m3@example.com", "Hello", time.Now())
	require.Equal(t, "m3@example.com", e.next(t))
	require.Equal(t, []string{"m0@example.com", "m1@example.com", "m2@example.com", "m3@example.com"}, e.order)
}

func TestABrokenConnectionEndsListening(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	ended, c := make(chan error, 1), m.channel(t, "none")
	go func() { ended <- e.provider.Listen(t.Context(), c, e.deliver) }()
	e.begun(t)
	require.NoError(t, m.server.Close())
	select {
	case err := <-ended:
		require.Equal(t, provider.Retryable, failure(t, err).Kind)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the broken connection was not noticed")
	}
}

// TestAMailboxWithOtherUIDs deletes and creates the mailbox, with the same messages and
// one more.
func TestAMailboxWithOtherUIDs(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	stop := e.listen(t, m.channel(t, "none"))
	e.begun(t)
	m.put(t, "m0@example.com", "Hello", time.Now())
	require.Equal(t, "m0@example.com", e.next(t))
	require.Error(t, stop())
	require.NoError(t, m.user.Delete("INBOX"))
	require.NoError(t, m.user.Create("INBOX", nil))
	m.put(t, "old@example.com", "before the channel", time.Now().Add(-time.Hour))
	m.put(t, "m0@example.com", "Hello", time.Now())
	m.put(t, "m1@example.com", "Hello", time.Now())
	stop = e.listen(t, m.channel(t, "none"))
	require.Equal(t, "m1@example.com", e.next(t))
	m.put(t, "late@example.com", "moved here by a person", time.Now().Add(-time.Hour))
	require.Equal(t, "late@example.com", e.next(t), "what comes later is new, even with an old date")
	require.Error(t, stop())
	require.Equal(t, []string{"m0@example.com", "again m0@example.com", "m1@example.com", "late@example.com"}, e.order)
}

func TestMessagesThatAreNotStoredComeAgain(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	stop := e.listen(t, m.channel(t, "none"))
	e.begun(t)
	require.Error(t, stop())
	m.put(t, "m0@example.com", "Hello", time.Now())
	e.fail = errors.New("the database is away")
	c := m.channel(t, "none")
	c.State = e.state
	require.ErrorIs(t, e.provider.Listen(t.Context(), c, e.deliver), e.fail)
	e.fail = nil
	e.listen(t, m.channel(t, "none"))
	require.Equal(t, "m0@example.com", e.next(t))
}

func TestMessagesThatAreTooLargeHaveANote(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	e.listen(t, m.channel(t, "none"))
	e.begun(t)
	m.put(t, "large@example.com", strings.Repeat("0123456789abcde\n", extract.MaxMessage/16+1), time.Now())
	m.put(t, "m0@example.com", "Hello", time.Now())
	require.Equal(t, "large@example.com", e.next(t))
	require.Equal(t, "m0@example.com", e.next(t), "it does not stop the others")
	require.Equal(t, "[This message is too large to be received: 26 MiB.]", e.items["large@example.com"].Text)
	require.Equal(t, "anna@example.com", e.items["large@example.com"].From.ExternalID)
}

// TestMessagesThatCannotBeReadAreSkipped lets every reader process die.
func TestMessagesThatCannotBeReadAreSkipped(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	e.provider.Reader = &extract.Runner{Binary: "/bin/false"}
	e.listen(t, m.channel(t, "none"))
	e.begun(t)
	m.put(t, "m0@example.com", "Hello", time.Now())
	e.begun(t) // a state without a message
	require.Empty(t, e.order)
}

func TestIMAPErrorsAreClassified(t *testing.T) {
	t.Parallel()
	m := newMailbox(t).serve(t, false, false)
	e := newEngine()
	c := m.channel(t, "none")
	c.Credentials["imapPassword"] = "wrong-secret-7777"
	err := e.provider.Listen(t.Context(), c, e.deliver)
	require.Equal(t, provider.Credentials, failure(t, err).Kind)
	require.Equal(t, "AUTHENTICATIONFAILED", failure(t, err).Code)
	require.NotContains(t, fmt.Sprintf("%v %+v", err, *failure(t, err)), "wrong-secret-7777")

	require.NoError(t, m.user.Delete("INBOX"))
	require.Equal(t, provider.Credentials, failure(t, e.provider.Listen(t.Context(), m.channel(t, "none"), e.deliver)).Kind)

	require.NoError(t, m.server.Close())
	require.Equal(t, provider.Retryable, failure(t, e.provider.Listen(t.Context(), m.channel(t, "none"), e.deliver)).Kind)

	// A server that accepts connections, and says nothing.
	silent, port := listen(t, false)
	t.Cleanup(func() { _ = silent.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, e.provider.Listen(ctx, (&mailboxServer{port: port}).channel(t, "none"), e.deliver))
}

func TestCheckLogsInToTheMailbox(t *testing.T) {
	t.Parallel()
	m, mail := newMailbox(t).serve(t, true, false), (&mailServer{}).serve(t, false, false)
	c := newChannel(t, func(config map[string]any, credentials map[string]string) {
		config["inbound"], config["imap"] = "imap", map[string]any{"host": "127.0.0.1", "port": m.port, "security": "tls"}
		config["smtp"] = map[string]any{"host": "127.0.0.1", "port": mail.port, "security": "none"}
		credentials["imapUsername"], credentials["imapPassword"] = testUser, testPassword
	})
	require.Empty(t, newProvider().Validate(c))
	_, err := newProvider().Check(t.Context(), c)
	require.NoError(t, err)
	c.Credentials["imapPassword"] = "wrong"
	_, err = newProvider().Check(t.Context(), c)
	require.Equal(t, provider.Credentials, failure(t, err).Kind)
}
