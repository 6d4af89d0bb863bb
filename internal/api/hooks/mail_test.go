package hooks_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/smtp"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	smtpserver "github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

const (
	shopAddress, shopUser, shopPassword = "help@shop.example", "shop", "never-shown-anywhere-4711"
	annaAddress                         = "anna@example.com"
)

// mailServer is an SMTP server that delivers to the shop's mailbox, which an IMAP server
// serves, and keeps what it delivers to Anna.
type mailServer struct {
	smtp, imap string // addresses
	mailbox    *imapmemserver.User

	mu   sync.Mutex
	anna []string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	m := &mailServer{mailbox: imapmemserver.NewUser(shopUser, shopPassword)}
	require.NoError(t, m.mailbox.Create("INBOX", nil))
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	users := imapmemserver.New()
	users.AddUser(m.mailbox)
	mailboxes := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return users.NewSession(), nil, nil
		},
		Logger: quiet, InsecureAuth: true,
	})
	m.imap = serve(t, mailboxes.Serve, mailboxes.Close, true)
	transfer := smtpserver.NewServer(smtpserver.BackendFunc(func(*smtpserver.Conn) (smtpserver.Session, error) {
		return &mailSession{mailServer: m}, nil
	}))
	transfer.Domain, transfer.ErrorLog = "mail.example", quiet
	m.smtp = serve(t, transfer.Serve, transfer.Close, false)
	return m
}

// serve lets a server listen, and returns its address.
func serve(t *testing.T, serve func(net.Listener) error, end func() error, withoutIdle bool) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	if withoutIdle {
		listener = polled{listener}
	}
	go func() { _ = serve(listener) }()
	t.Cleanup(func() { _ = end() })
	return address
}

// polled is the listener of a server that seems to lack IDLE: this one does not report in IDLE
// what arrived right before it.
type polled struct{ net.Listener }

func (l polled) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return withoutIdle{conn}, err
}

type withoutIdle struct{ net.Conn }

func (c withoutIdle) Write(p []byte) (int, error) {
	return c.Conn.Write(bytes.ReplaceAll(p, []byte(" IDLE"), []byte(" XDLE")))
}

// mailSession accepts a message.
type mailSession struct {
	*mailServer

	to string
}

func (*mailSession) Reset()                                     {}
func (*mailSession) Logout() error                              { return nil }
func (*mailSession) Mail(string, *smtpserver.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtpserver.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if strings.HasSuffix(s.to, "@shop.example") {
		_, err := s.mailbox.Append("INBOX", literal{bytes.NewReader(content)}, &imap.AppendOptions{})
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anna = append(s.anna, string(content))
	return nil
}

type literal struct{ *bytes.Reader }

// Size implements imap.LiteralReader.
func (l literal) Size() int64 { return l.Reader.Size() }

// send sends a message of Anna by SMTP.
func (m *mailServer) send(t *testing.T, to, header, body string) {
	t.Helper()
	content := strings.ReplaceAll("From: Anna <"+annaAddress+">\nTo: "+to+"\n"+header+"\n"+body, "\n", "\r\n")
	require.NoError(t, smtp.SendMail(m.smtp, nil, annaAddress, []string{to}, []byte(content)))
}

// inbox returns what Anna has received.
func (m *mailServer) inbox() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.anna...)
}
