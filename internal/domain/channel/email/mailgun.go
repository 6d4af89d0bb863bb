package email

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/extract"
)

// mailgunWindow is how far the time of a signature may be from ours. The signature covers
// the time and a random token only, so old ones must not be accepted.
const mailgunWindow = 2 * time.Minute

// mailgunSignature signs a request (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).
type mailgunSignature struct {
	Timestamp string `json:"timestamp"`
	Token     string `json:"token"`
	Signature string `json:"signature"`
}

func (s mailgunSignature) valid(key string, now time.Time) bool {
	given, err := hex.DecodeString(s.Signature)
	if err != nil || key == "" || s.Token == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(s.Timestamp + s.Token))
	if !hmac.Equal(mac.Sum(nil), given) {
		return false
	}
	seconds, err := strconv.ParseInt(s.Timestamp, 10, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)).Abs() <= mailgunWindow
}

// receiveMailgun reads what a route of Mailgun forwards, or an event about a message.
func (p *Provider) receiveMailgun(c provider.Channel, settings config, r provider.Request) (provider.Received, error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	if kind == "application/json" {
		return receiveMailgunEvent(c, settings, r)
	}
	fields, files, err := mailgunForm(kind, parameters["boundary"], r.Body)
	signed := mailgunSignature{Timestamp: fields.Get("timestamp"), Token: fields.Get("token"), Signature: fields.Get("signature")}
	if !signed.valid(c.Credentials[mailgunSigningKey], r.ReceivedAt) {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	if err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	found := mailgunMessage(fields, files)
	if strings.TrimSpace(found.Text) == "" {
		if found.Text, err = p.textOfHTML(context.Background(), c.WorkspaceID, fields.Get("body-html")); err != nil {
			return provider.Received{}, err
		}
	}
	return provider.Received{Items: items(settings, found)}, nil
}

// mailgunForm parses a form with its files.
func mailgunForm(kind, boundary string, body []byte) (fields url.Values, files []extract.MessageFile, err error) {
	if kind != "multipart/form-data" {
		fields, err = url.ParseQuery(string(body))
		return fields, nil, err
	}
	fields = url.Values{}
	for reader := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := reader.NextPart()
		if err == io.EOF {
			return fields, files, nil
		} else if err != nil {
			return fields, files, fmt.Errorf("form: %w", err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return fields, files, fmt.Errorf("form: %w", err)
		}
		if part.FileName() == "" {
			fields.Add(part.FormName(), string(content))
			continue
		}
		files = append(files, extract.MessageFile{Name: line(part.FileName()), ContentType: line(part.Header.Get("Content-Type")), Content: content})
	}
}

// mailgunMessage reads the fields of a forwarded message
// (https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http).
func mailgunMessage(fields url.Values, files []extract.MessageFile) extract.Message {
	header := mailgunHeader(fields.Get("message-headers"))
	get := func(name string) string {
		if value := header.Get(name); value != "" {
			return value
		}
		return fields.Get(name)
	}
	m := extract.Message{
		Subject: line(fields.Get("subject")), Text: fields.Get("body-plain"), Files: files, Header: machineHeader(get),
		MessageID: first(extract.MessageIDs(get("Message-Id"))), InReplyTo: first(extract.MessageIDs(get("In-Reply-To"))),
		References: extract.MessageIDs(get("References")),
		Recipients: append(append(extract.Addresses(fields.Get("recipient")), extract.Addresses(get("To"))...), extract.Addresses(get("Cc"))...),
	}
	if from, err := mail.ParseAddress(fields.Get("from")); err == nil {
		m.From = extract.Mailbox{Name: line(from.Name), Address: from.Address}
	} else {
		m.From.Address = strings.TrimSpace(fields.Get("sender"))
	}
	if date, err := mail.ParseDate(get("Date")); err == nil {
		m.Date = date.UTC()
	}
	return m
}

// mailgunHeader reads a JSON array of names and values.
func mailgunHeader(raw string) textproto.MIMEHeader {
	var pairs [][2]string
	header := textproto.MIMEHeader{}
	if json.Unmarshal([]byte(raw), &pairs) != nil {
		return header // the fields that matter are also fields of the form
	}
	for _, pair := range pairs {
		header.Add(pair[0], pair[1])
	}
	return header
}

// mailgunEvent is an event about a message that was sent
// (https://documentation.mailgun.com/docs/mailgun/user-manual/events/webhooks).
type mailgunEvent struct {
	Signature mailgunSignature `json:"signature"`
	Data      struct {
		Event     string `json:"event"`
		Severity  string `json:"severity"`
		Reason    string `json:"reason"`
		Recipient string `json:"recipient"`
		Message   struct {
			Headers map[string]any `json:"headers"`
		} `json:"message"`
		DeliveryStatus struct {
			Code         int    `json:"code"`
			EnhancedCode string `json:"enhanced-code"`
			Message      string `json:"message"`
			Description  string `json:"description"`
		} `json:"delivery-status"`
	} `json:"event-data"`
}

func receiveMailgunEvent(c provider.Channel, settings config, r provider.Request) (provider.Received, error) {
	var event mailgunEvent
	err := json.Unmarshal(r.Body, &event)
	if !event.Signature.valid(c.Credentials[mailgunSigningKey], r.ReceivedAt) {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	if err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	id, _ := event.Data.Message.Headers["message-id"].(string)
	if !own(settings, id) {
		return provider.Received{}, nil
	}
	return provider.Received{Items: event.items(id)}, nil
}

func (e mailgunEvent) items(id string) []provider.Item {
	switch d := e.Data; {
	case d.Event == "delivered":
		return []provider.Item{provider.Status{ExternalID: id, Status: api.DeliveryStatusDELIVERED}}
	case d.Event == "failed" && d.Severity == "permanent":
		state := d.DeliveryStatus.EnhancedCode
		if state == "" {
			state = strconv.Itoa(d.DeliveryStatus.Code)
		}
		return []provider.Item{provider.Status{
			ExternalID: id, Status: api.DeliveryStatusFAILED, Code: state, Kind: undelivered(state),
			Detail: short(d.DeliveryStatus.Message + " " + d.DeliveryStatus.Description),
		}}
	case d.Event == "complained", d.Event == "unsubscribed":
		return []provider.Item{provider.Block{From: strings.ToLower(d.Recipient), On: true}}
	}
	return nil
}
