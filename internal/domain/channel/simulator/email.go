package simulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"

	api "github.com/avelto/convo/gen/api/model"
)

// Email is an SMTP server on a port of its own, and a Mailgun account that forwards what is
// received (https://documentation.mailgun.com).
type Email struct {
	Core

	server *smtp.Server
	port   int
	ending context.Context //nolint:containedctx // until which calls hang
	end    context.CancelFunc
}

const (
	mailgunKey = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0" //nolint:gosec // accepted by the simulator alone
	// replyAddress is where Mailgun receives.
	replyAddress = "reply@in.shop.example"
	// sentID is that of a message of the channel by which contacts unsubscribe.
	sentID = "0199c3a5-7c1e-7d61-9d0b-3f1f2f6f7a11-0@shop.example"
)

// NewEmail returns a server that listens on a free port of this machine until Close is called.
func NewEmail(ctx context.Context) (*Email, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for SMTP: %w", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s := &Email{}
	s.port, _ = strconv.Atoi(port)
	s.ending, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{Email: s, conn: c}, nil }))
	s.server.Domain, s.server.ErrorLog = "mail.example", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.server.MaxMessageBytes = maxUpload
	go func() { _ = s.server.Serve(listener) }() // ends when the server is closed
	return s, nil
}

// Close implements io.Closer.
func (s *Email) Close() error {
	s.end()
	return s.server.Close() //nolint:wrapcheck // of no use to the caller
}

// Type implements Simulator.
func (*Email) Type() api.ChannelType { return api.ChannelTypeEMAIL }

// Settings implements Simulator.
func (s *Email) Settings() Settings {
	return Settings{
		Config: encode(map[string]any{
			"fromAddress": "help@shop.example", "fromName": "Shop", "replyAddress": replyAddress, "inbound": "mailgun",
			"smtp": map[string]any{"host": "127.0.0.1", "port": s.port, "security": "none"},
		}),
		Credentials: map[string]string{"mailgunSigningKey": mailgunKey},
	}
}

// ServeHTTP implements Simulator: channels use SMTP.
func (*Email) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// mailSession fails as it is told when its message begins.
type mailSession struct {
	*Email

	conn  *smtp.Conn
	fault Fault
	to    string
}

// Reset implements smtp.Session.
func (*mailSession) Reset() {}

// Logout implements smtp.Session.
func (*mailSession) Logout() error { return nil }

func mailError(code, class, subject, detail int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: "simulated"}
}

// Mail implements smtp.Session.
func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if s.fault = s.NextFault(); s.fault == Revoked {
		return mailError(530, 5, 7, 0) //nolint:mnd // authentication required
	}
	return nil
}

// Rcpt implements smtp.Session.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.to = to; s.fault == OptedOut {
		return mailError(550, 5, 1, 1) //nolint:mnd // no such mailbox
	}
	return nil
}

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	read, err := enmime.ReadEnvelope(r)
	if err != nil {
		return mailError(554, 5, 6, 0) //nolint:mnd // malformed
	}
	switch s.fault { //nolint:exhaustive // the message is accepted
	case Overloaded:
		return mailError(451, 4, 3, 0) //nolint:mnd // system overloaded
	case Limited:
		return mailError(451, 4, 7, 0) //nolint:mnd // too many messages
	case Refuse:
		return mailError(554, 5, 7, 1) //nolint:mnd // refused
	}
	m := Message{ID: strings.Trim(read.GetHeader("Message-ID"), "<>"), To: s.to, Text: strings.TrimSpace(read.Text)}
	for _, part := range append(read.Attachments, read.Inlines...) {
		m.Files = append(m.Files, File{Name: part.FileName, ContentType: part.ContentType, Content: part.Content})
	}
	s.Accept(m, func(m Message, _ int) (Message, Response) { return m, Response{} })
	switch s.fault { //nolint:exhaustive // nothing goes wrong
	case Hang:
		s.Hang(s.ending)
	case Reset:
		_ = s.conn.Conn().Close()
	}
	return nil
}

// mailgunSignature is what Mailgun signs a request with: not its body, but a time and a token.
func mailgunSignature(at time.Time) map[string]string {
	timestamp, token := strconv.FormatInt(at.Unix(), 10), rand.Text()
	mac := hmac.New(sha256.New, []byte(mailgunKey))
	mac.Write([]byte(timestamp + token))
	return map[string]string{"timestamp": timestamp, "token": token, "signature": hex.EncodeToString(mac.Sum(nil))}
}

// Sign implements Simulator: signatures are part of the bodies.
func (*Email) Sign(hook string, _ time.Time, body []byte) Request {
	return Request{Method: http.MethodPost, URL: hook, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// Hook implements Simulator. Contacts who block the channel unsubscribe.
func (s *Email) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	if len(events) != 1 {
		return Request{}, ErrUnsupported
	}
	e := events[0]
	if !strings.Contains(e.From, "@") {
		return Request{}, ErrContact
	}
	reported := map[string]any{"recipient": e.From, "message": map[string]any{"headers": map[string]string{"message-id": e.ID}}}
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		return forwarded(hook, at, e)
	case Delivered:
		reported["event"] = "delivered"
	case Blocked:
		reported["event"], reported["message"] = "unsubscribed", map[string]any{"headers": map[string]string{"message-id": sentID}}
	default:
		return Request{}, ErrUnsupported
	}
	return s.Sign(hook, at, encode(map[string]any{"signature": mailgunSignature(at), "event-data": reported})), nil
}

// forwarded is a message that Mailgun has received.
func forwarded(hook string, at time.Time, e Event) (Request, error) {
	fields := map[string]string{
		"recipient": replyAddress, "sender": e.From, "from": e.Name + " <" + e.From + ">", "subject": "Question",
		"Message-Id": "<" + e.ID + "@example.net>", "body-plain": e.Text, "message-headers": "[]",
	}
	maps.Copy(fields, mailgunSignature(at))
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			return Request{}, fmt.Errorf("form: %w", err)
		}
	}
	if e.File != nil {
		file, err := form.CreateFormFile("attachment-1", e.File.Name)
		if err != nil {
			return Request{}, fmt.Errorf("form: %w", err)
		}
		if _, err := file.Write(e.File.Content); err != nil {
			return Request{}, fmt.Errorf("form: %w", err)
		}
	}
	if err := form.Close(); err != nil {
		return Request{}, fmt.Errorf("form: %w", err)
	}
	return Request{Method: http.MethodPost, URL: hook, Header: http.Header{"Content-Type": {form.FormDataContentType()}}, Body: body.Bytes()}, nil
}
