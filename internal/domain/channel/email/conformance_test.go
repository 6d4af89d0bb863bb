package email

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/testing/channeltest"
)

// mailSimulator is an SMTP server, and a Mailgun account that forwards what is received.
type mailSimulator struct {
	simulator.Core
	http.Handler

	ending   context.Context //nolint:containedctx // until which calls hang
	settings simulator.Settings
}

// simulatedSession fails as it is told when its message begins.
type simulatedSession struct {
	*mailSimulator

	conn  *smtp.Conn
	fault simulator.Fault
	to    string
}

func (*simulatedSession) Reset()        {}
func (*simulatedSession) Logout() error { return nil }

func response(code, class, subject, detail int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: "simulated"}
}

func (s *simulatedSession) Mail(string, *smtp.MailOptions) error {
	if s.fault = s.NextFault(); s.fault == simulator.Revoked {
		return response(530, 5, 7, 0)
	}
	return nil
}

func (s *simulatedSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.to = to; s.fault == simulator.OptedOut {
		return response(550, 5, 1, 1)
	}
	return nil
}

func (s *simulatedSession) Data(r io.Reader) error {
	read, err := enmime.ReadEnvelope(r)
	if err != nil {
		return err
	}
	switch s.fault { //nolint:exhaustive // the message is accepted
	case simulator.Overloaded:
		return response(451, 4, 3, 0)
	case simulator.Limited:
		return response(451, 4, 7, 0)
	case simulator.Refuse:
		return response(554, 5, 7, 1)
	}
	m := simulator.Message{ID: strings.Trim(read.GetHeader("Message-ID"), "<>"), To: s.to, Text: strings.TrimSpace(read.Text)}
	for _, part := range append(read.Attachments, read.Inlines...) {
		m.Files = append(m.Files, simulator.File{Name: part.FileName, ContentType: part.ContentType, Content: part.Content})
	}
	s.Accept(m, func(m simulator.Message, _ int) (simulator.Message, simulator.Response) {
		return m, simulator.Response{}
	})
	switch s.fault { //nolint:exhaustive // nothing goes wrong
	case simulator.Hang:
		s.Hang(s.ending)
	case simulator.Reset:
		_ = s.conn.Conn().Close()
	}
	return nil
}

func newMailSimulator(t *testing.T) *mailSimulator {
	t.Helper()
	ending, end := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &mailSimulator{Handler: http.NotFoundHandler(), ending: ending}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &simulatedSession{mailSimulator: s, conn: c}, nil }))
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "mail.example", true, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listener, port := listen(t, false)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		end()
		_ = server.Close()
	})
	c := newChannel(t, func(config map[string]any, _ map[string]string) {
		config["smtp"] = map[string]any{"host": "127.0.0.1", "port": port, "security": "none"}
	})
	s.settings = simulator.Settings{Config: c.Config, Credentials: c.Credentials}
	return s
}

// Type implements simulator.Simulator.
func (*mailSimulator) Type() api.ChannelType { return api.ChannelTypeEMAIL }

// Settings implements simulator.Simulator.
func (s *mailSimulator) Settings() simulator.Settings { return s.settings }

// Sign implements simulator.Simulator: signatures are part of the bodies.
func (*mailSimulator) Sign(hook string, _ time.Time, body []byte) simulator.Request {
	return simulator.Request{Method: http.MethodPost, URL: hook, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// Hook implements simulator.Simulator as Mailgun does.
func (s *mailSimulator) Hook(hook string, at time.Time, events ...simulator.Event) (simulator.Request, error) {
	if len(events) != 1 {
		return simulator.Request{}, simulator.ErrUnsupported
	}
	e := events[0]
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case simulator.Wrote:
		return routed(hook, at, e)
	case simulator.Delivered, simulator.Blocked:
		event := map[simulator.Kind]string{simulator.Delivered: "delivered", simulator.Blocked: "unsubscribed"}[e.Kind]
		id := e.ID
		if e.Kind == simulator.Blocked {
			id = ownID
		}
		body, err := json.Marshal(map[string]any{"signature": sign(mailgunKey, at), "event-data": map[string]any{
			"event": event, "recipient": e.From, "message": map[string]any{"headers": map[string]string{"message-id": id}},
		}})
		return s.Sign(hook, at, body), err
	}
	return simulator.Request{}, simulator.ErrUnsupported
}

func routed(hook string, at time.Time, e simulator.Event) (simulator.Request, error) {
	fields := map[string]string{
		"recipient": "reply@in.shop.example", "sender": e.From, "from": e.Name + " <" + e.From + ">", "subject": "Question",
		"Message-Id": "<" + e.ID + "@example.net>", "body-plain": e.Text, "message-headers": "[]",
	}
	maps.Copy(fields, sign(mailgunKey, at))
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			return simulator.Request{}, err
		}
	}
	if e.File != nil {
		file, err := form.CreateFormFile("attachment-1", e.File.Name)
		if err != nil {
			return simulator.Request{}, err
		}
		if _, err := file.Write(e.File.Content); err != nil {
			return simulator.Request{}, err
		}
	}
	err := form.Close()
	return simulator.Request{Method: http.MethodPost, URL: hook, Header: http.Header{"Content-Type": {form.FormDataContentType()}}, Body: body.Bytes()}, err
}

// tamper changes the field of the signature, or empties it.
func tamper(t *testing.T) func(r *simulator.Request, change func(string) string) {
	t.Helper()
	return func(r *simulator.Request, change func(string) string) {
		_, rest, ok := strings.Cut(string(r.Body), `name="signature"`+"\r\n\r\n")
		require.True(t, ok)
		signature, _, _ := strings.Cut(rest, "\r\n")
		r.Body = []byte(strings.Replace(string(r.Body), signature, change(signature), 1))
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Type {
		t.Helper()
		return channeltest.Type{
			Provider: newProvider(), Simulator: newMailSimulator(t), Tamper: tamper(t),
			Contact: func(number int) string { return "anna" + strconv.Itoa(number) + "@example.com" },
			Reasons: map[channeltest.Property]string{
				channeltest.ChangedBody:    "The signature covers the time and a token alone.",
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.FalseSuccess:   "A response has one line, which is read or lost.",
				channeltest.Window:         "There is no reply window.",
			},
		}
	})
}
