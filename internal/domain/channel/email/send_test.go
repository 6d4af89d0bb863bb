package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/egress"
)

// mailServer is an SMTP server that keeps what it accepts, or fails as a test says.
type mailServer struct {
	port             int
	mail, rcpt, data error
	dropAfterData    bool
	authenticated    bool // whether it requires a login
	mu               sync.Mutex
	from, to         []string
	received         []string
	loggedIn         bool
}

type mailSession struct {
	*mailServer

	conn *smtp.Conn
}

func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

func (s *mailSession) AuthMechanisms() []string {
	if s.authenticated {
		return []string{sasl.Plain}
	}
	return nil
}

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != testUser || password != testPassword {
			return smtp.ErrAuthFailed
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.loggedIn = true
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.authenticated && !s.loggedIn {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	s.from = append(s.from, from)
	return s.mail
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = append(s.to, to)
	return s.rcpt
}

func (s *mailSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.received = append(s.received, string(content))
	}
	if s.dropAfterData {
		_ = s.conn.Conn().Close()
	}
	if err != nil {
		return err
	}
	return s.data
}

// last is the message that was accepted last.
func (s *mailServer) last(t *testing.T) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(t, s.received)
	return s.received[len(s.received)-1]
}

// serve starts an SMTP server, with TLS from the start or by STARTTLS if offered.
func (s *mailServer) serve(t *testing.T, encrypted, startTLS bool) *mailServer {
	t.Helper()
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{mailServer: s, conn: c}, nil
	}))
	server.Domain, server.AllowInsecureAuth = "mail.example", true
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if startTLS {
		cert, _ := certificate()
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	listener, port := listen(t, encrypted)
	s.port = port
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// channel returns one that sends through the server.
func (s *mailServer) channel(t *testing.T, security string, change func(config map[string]any, credentials map[string]string)) provider.Channel {
	t.Helper()
	return newChannel(t, func(config map[string]any, credentials map[string]string) {
		config["smtp"] = map[string]any{"host": "127.0.0.1", "port": s.port, "security": security}
		if s.authenticated {
			credentials["smtpUsername"], credentials["smtpPassword"] = testUser, testPassword
		}
		if change != nil {
			change(config, credentials)
		}
	})
}

func send(t *testing.T, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return newProvider().Send(ctx, c, m)
}

const (
	key     = "0199c3a5-7c1e-7d61-9d0b-3f1f2f6f7a11-0"
	token42 = "abcdefghijklmnopqrstuvwxyz234567abcdefghij"
)

func outbound() provider.Outbound {
	return provider.Outbound{
		Key: key, To: "anna@example.com", Subject: "Buty", Text: "Cześć <b>Anno</b>,\nbuty są.\n\n.\nPozdrawiam", Author: "Jan",
		ReplyTo: "m2@example.com", References: []string{"m1@example.com", "m2@example.com", "sha256:abc", "<bad>"}, ConversationToken: token42,
	}
}

func TestMessagesAreSentOverEveryKindOfConnection(t *testing.T) {
	t.Parallel()
	for security, server := range map[string]*mailServer{
		"tls":      (&mailServer{authenticated: true}).serve(t, true, false),
		"starttls": (&mailServer{authenticated: true}).serve(t, false, true),
		"none":     (&mailServer{}).serve(t, false, false),
	} {
		sent, err := send(t, server.channel(t, security, nil), outbound())
		require.NoError(t, err, security)
		require.Equal(t, []string{key + "@shop.example"}, sent.ExternalIDs)
		require.Equal(t, []string{"help@shop.example"}, server.from)
		require.Equal(t, []string{"anna@example.com"}, server.to)
		require.Equal(t, server.authenticated, server.loggedIn)
		name, err := newProvider().Check(t.Context(), server.channel(t, security, nil))
		require.NoError(t, err, security)
		require.Equal(t, "help@shop.example", name)
	}
}

func TestMessagesAreComposed(t *testing.T) {
	t.Parallel()
	server := (&mailServer{}).serve(t, false, false)
	m := outbound()
	m.Attachments = []provider.OutboundAttachment{
		{Name: "faktura ż.pdf", ContentType: "application/pdf", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("%PDF\x00")), nil
		}},
		{Name: "a.txt", ContentType: "text/plain", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("a")), nil }},
	}
	_, err := send(t, server.channel(t, "none", nil), m)
	require.NoError(t, err)
	parsed, err := enmime.ReadEnvelope(strings.NewReader(server.last(t)))
	require.NoError(t, err)
	require.Empty(t, parsed.Errors)
	for name, want := range map[string]string{
		"From": `"Jan (Shop)" <help@shop.example>`, "To": "<anna@example.com>", "Subject": "Re: Buty", "Message-Id": "<" + key + "@shop.example>",
		"Reply-To": "<reply+" + token42 + "@in.shop.example>", "In-Reply-To": "<m2@example.com>", "References": "<m1@example.com> <m2@example.com>",
		"Auto-Submitted": "", "List-Unsubscribe": "", "User-Agent": "", "Mime-Version": "1.0",
	} {
		require.Equal(t, want, parsed.GetHeader(name), name)
	}
	require.Equal(t, m.Text, strings.TrimRight(strings.ReplaceAll(parsed.Text, "\r\n", "\n"), "\n"))
	require.Contains(t, parsed.HTML, "&lt;b&gt;Anno&lt;/b&gt;")
	require.Len(t, parsed.Attachments, 2)
	require.Equal(t, "faktura ż.pdf", parsed.Attachments[0].FileName)
	require.Equal(t, "%PDF\x00", string(parsed.Attachments[0].Content))
}

func TestAgentsAndFirstMessagesAreMarked(t *testing.T) {
	t.Parallel()
	server := (&mailServer{}).serve(t, false, false)
	c := server.channel(t, "none", nil)
	agent := outbound()
	agent.Automatic = true
	_, err := send(t, c, agent)
	require.NoError(t, err)
	require.Contains(t, server.last(t), "Auto-Submitted: auto-replied\r\n")
	first := outbound()
	first.ReplyTo, first.References = "", []string{ownID} // what we sent before
	_, err = send(t, c, first)
	require.NoError(t, err)
	parsed, err := enmime.ReadEnvelope(strings.NewReader(server.last(t)))
	require.NoError(t, err)
	require.Equal(t, "<mailto:reply+"+token42+"@in.shop.example?subject=unsubscribe>", parsed.GetHeader("List-Unsubscribe"))
	require.Equal(t, "Buty", parsed.GetHeader("Subject"))
}

func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	server := (&mailServer{}).serve(t, false, false)
	m := outbound()
	m.Subject, m.Author = "a\r\nBcc: all@example.com\r\n\r\nx", "b\r\nX-Evil: 1"
	m.ReplyTo, m.References = "m\r\nX-Evil: 1@example.com", nil
	m.Attachments = []provider.OutboundAttachment{{Name: "a\"\r\nX-Evil: 1", ContentType: "text/plain", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("a")), nil
	}}}
	_, err := send(t, server.channel(t, "none", nil), m)
	require.NoError(t, err)
	require.NotContains(t, server.last(t), "\nX-Evil")
	require.NotContains(t, server.last(t), "\nBcc")
	m = outbound()
	m.To = "anna@example.com>\r\nRCPT TO:<eve@example.com"
	_, err = send(t, server.channel(t, "none", nil), m)
	require.Equal(t, provider.Permanent, failure(t, err).Kind)
}

func TestMessagesAreSignedWithDKIM(t *testing.T) {
	t.Parallel()
	private, public := dkimKey()
	server := (&mailServer{}).serve(t, false, false)
	c := server.channel(t, "none", func(config map[string]any, credentials map[string]string) {
		config["dkim"] = map[string]any{"domain": "shop.example", "selector": "convo"}
		credentials["dkimPrivateKey"] = private
	})
	require.Empty(t, newProvider().Validate(c))
	_, err := send(t, c, outbound())
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	verify := func(content string) error {
		found, err := dkim.VerifyWithOptions(strings.NewReader(content), &dkim.VerifyOptions{LookupTXT: func(domain string) ([]string, error) {
			if domain != "convo._domainkey.shop.example" {
				return nil, fmt.Errorf("unexpected domain %s", domain)
			}
			return []string{"v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)}, nil
		}})
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0].Err
	}
	require.NoError(t, verify(server.last(t)))
	require.Error(t, verify(strings.Replace(server.last(t), "Subject: Re: Buty", "Subject: Re: Bury", 1)))
}

func TestARetryHasTheSameMessageID(t *testing.T) {
	t.Parallel()
	server := (&mailServer{data: &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again"}}).serve(t, false, false)
	for range 2 {
		_, err := send(t, server.channel(t, "none", nil), outbound())
		require.Equal(t, provider.Retryable, failure(t, err).Kind)
		require.False(t, failure(t, err).Ambiguous, "the server has said no")
		require.Contains(t, server.last(t), "Message-ID: <"+key+"@shop.example>\r\n")
	}
}

func failure(t *testing.T, err error) *provider.SendError {
	t.Helper()
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok, "%v", err)
	return failed
}

func TestResponsesAreClassified(t *testing.T) {
	t.Parallel()
	response := func(code int, a, b, c int, text string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{a, b, c}, Message: text}
	}
	for name, c := range map[string]struct {
		server *mailServer
		kind   provider.Kind
		code   string
	}{
		"greylisted":         {&mailServer{rcpt: response(451, 4, 7, 1, "Greylisted, try again")}, provider.Retryable, "451 4.7.1"},
		"no such mailbox":    {&mailServer{rcpt: response(550, 5, 1, 1, "User unknown")}, provider.Blocked, "550 5.1.1"},
		"mailbox disabled":   {&mailServer{rcpt: response(550, 5, 2, 1, "Disabled")}, provider.Blocked, "550 5.2.1"},
		"relaying denied":    {&mailServer{rcpt: response(550, 5, 7, 1, "Relaying denied")}, provider.Permanent, "550 5.7.1"},
		"mailbox full":       {&mailServer{rcpt: response(552, 5, 2, 2, "Full")}, provider.Permanent, "552 5.2.2"},
		"sender refused":     {&mailServer{mail: response(553, 5, 7, 1, "Not yours")}, provider.Permanent, "553 5.7.1"},
		"login required":     {&mailServer{mail: response(530, 5, 7, 0, "Authentication required")}, provider.Credentials, "530 5.7.0"},
		"service closing":    {&mailServer{mail: response(421, 4, 3, 2, "Shutting down")}, provider.Retryable, "421 4.3.2"},
		"spam":               {&mailServer{data: response(554, 5, 7, 1, "Spam")}, provider.Permanent, "554 5.7.1"},
		"insufficient space": {&mailServer{data: response(452, 4, 3, 1, "Disk full")}, provider.Retryable, "452 4.3.1"},
	} {
		_, err := send(t, c.server.serve(t, false, false).channel(t, "none", nil), outbound())
		failed := failure(t, err)
		require.Equal(t, c.kind, failed.Kind, name)
		require.Equal(t, c.code, failed.Code, name)
		require.NotEmpty(t, failed.Detail, name)
		require.False(t, failed.Ambiguous, name)
	}
}

func TestALostResponseIsAmbiguous(t *testing.T) {
	t.Parallel()
	server := (&mailServer{dropAfterData: true}).serve(t, false, false)
	_, err := send(t, server.channel(t, "none", nil), outbound())
	failed := failure(t, err)
	require.True(t, failed.Ambiguous)
	require.Equal(t, provider.Retryable, failed.Kind)

	closed, port := listen(t, false)
	require.NoError(t, closed.Close())
	_, err = send(t, (&mailServer{port: port}).channel(t, "none", nil), outbound())
	require.False(t, failure(t, err).Ambiguous, "nothing was sent")
}

// TestAServerThatHangsIsGivenUp lets a server accept the connection and say nothing.
func TestAServerThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	listener, port := listen(t, false)
	t.Cleanup(func() { _ = listener.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newProvider().Send(ctx, (&mailServer{port: port}).channel(t, "none", nil), outbound())
	require.Equal(t, provider.Retryable, failure(t, err).Kind)
}

func TestErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	server := (&mailServer{authenticated: true}).serve(t, true, false)
	c := server.channel(t, "tls", func(_ map[string]any, credentials map[string]string) {
		credentials["smtpPassword"] = "wrong-secret-7777"
	})
	leaking := (&mailServer{rcpt: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "no: " + testPassword}}).serve(t, false, false).
		channel(t, "none", func(_ map[string]any, credentials map[string]string) { credentials["imapPassword"] = testPassword })
	for secret, c := range map[string]provider.Channel{"wrong-secret-7777": c, testPassword: leaking} {
		_, err := send(t, c, outbound())
		failed := failure(t, err)
		text := fmt.Sprintf("%v %+v %v", failed, *failed, failed.Cause)
		require.NotContains(t, text, secret)
		require.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte("\x00"+testUser+"\x00"+secret)))
	}
	_, err := send(t, c, outbound())
	require.Equal(t, provider.Credentials, failure(t, err).Kind)
	require.Equal(t, "535 5.7.8", failure(t, err).Code)
}

func TestConnectionsThatCannotBeTrustedAreRefused(t *testing.T) {
	t.Parallel()
	server := (&mailServer{authenticated: true}).serve(t, true, false)
	c := server.channel(t, "tls", nil)
	guarded := newProvider()
	guarded.Guard = egress.NewGuard(nil)
	_, err := guarded.Send(t.Context(), c, outbound())
	require.Equal(t, provider.Credentials, failure(t, err).Kind)
	require.Contains(t, failure(t, err).Detail, "private")

	untrusting := newProvider()
	untrusting.RootCAs = x509.NewCertPool()
	_, err = untrusting.Send(t.Context(), c, outbound())
	require.Equal(t, provider.Retryable, failure(t, err).Kind)
	require.Contains(t, failure(t, err).Detail, "certificate")

	plain := (&mailServer{authenticated: true}).serve(t, false, false)
	_, err = send(t, plain.channel(t, "starttls", nil), outbound())
	require.Contains(t, failure(t, err).Detail, "STARTTLS")
	require.False(t, plain.loggedIn, "the password stays here")
	_, err = send(t, plain.channel(t, "tls", nil), outbound())
	require.Contains(t, failure(t, err).Detail, "TLS")
}

func TestAttachmentsThatAreTooLargeAreRefused(t *testing.T) {
	t.Parallel()
	m := outbound()
	m.Attachments = []provider.OutboundAttachment{{Name: "a", ContentType: "text/plain", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(make([]byte, maxAttached+1))), nil
	}}}
	_, err := send(t, newChannel(t, nil), m)
	require.Equal(t, provider.Permanent, failure(t, err).Kind)
}
