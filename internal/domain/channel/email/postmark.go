package email

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/extract"
)

// postmarkMessage is what Postmark sends for an inbound message
// (https://postmarkapp.com/developer/webhooks/inbound-webhook).
type postmarkMessage struct {
	RecordType        string            `json:"RecordType"` // set for other webhooks only
	FromFull          postmarkAddress   `json:"FromFull"`
	ToFull            []postmarkAddress `json:"ToFull"`
	CcFull            []postmarkAddress `json:"CcFull"`
	OriginalRecipient string            `json:"OriginalRecipient"`
	MailboxHash       string            `json:"MailboxHash"`
	Subject           string            `json:"Subject"`
	MessageID         string            `json:"MessageID"` // Postmark's own
	Date              string            `json:"Date"`
	TextBody          string            `json:"TextBody"`
	HTMLBody          string            `json:"HtmlBody"`
	Headers           []postmarkHeader  `json:"Headers"`
	Attachments       []postmarkFile    `json:"Attachments"`
}

type postmarkAddress struct {
	Email string `json:"Email"`
	Name  string `json:"Name"`
}

type postmarkHeader struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

type postmarkFile struct {
	Name        string `json:"Name"`
	Content     string `json:"Content"`
	ContentType string `json:"ContentType"`
}

// receivePostmark reads a message that Postmark posts with the user and password of the
// hook's URL.
func (p *Provider) receivePostmark(c provider.Channel, settings config, r provider.Request) (provider.Received, error) {
	if !basicAuth(r.Header, c.Credentials[postmarkUser], c.Credentials[postmarkPassword]) {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var posted postmarkMessage
	if err := json.Unmarshal(r.Body, &posted); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	if posted.RecordType != "" && posted.RecordType != "Inbound" {
		return provider.Received{}, nil
	}
	found, malformed := posted.message()
	if strings.TrimSpace(found.Text) == "" {
		var err error
		if found.Text, err = p.textOfHTML(context.Background(), c.WorkspaceID, posted.HTMLBody); err != nil {
			return provider.Received{}, err
		}
	}
	received := items(settings, found)
	for i, item := range received {
		if message, ok := item.(provider.Message); ok && message.ConversationToken == "" && tokenPattern.MatchString(strings.ToLower(posted.MailboxHash)) {
			message.ConversationToken = strings.ToLower(posted.MailboxHash)
			received[i] = message
		}
	}
	return provider.Received{Items: received, Malformed: malformed}, nil
}

// basicAuth compares hashes, whose lengths say nothing about the secrets.
func basicAuth(header http.Header, user, password string) bool {
	givenUser, givenPassword, ok := (&http.Request{Header: header}).BasicAuth()
	want, got := sha256.Sum256([]byte(user+"\x00"+password)), sha256.Sum256([]byte(givenUser+"\x00"+givenPassword))
	return ok && user != "" && password != "" && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func (m postmarkMessage) message() (found extract.Message, malformed []string) {
	header := textproto.MIMEHeader{}
	for _, one := range m.Headers {
		header.Add(one.Name, one.Value)
	}
	found = extract.Message{
		From: extract.Mailbox{Name: line(m.FromFull.Name), Address: m.FromFull.Email}, Subject: line(m.Subject), Text: m.TextBody,
		MessageID: first(extract.MessageIDs(header.Get("Message-Id"))), InReplyTo: first(extract.MessageIDs(header.Get("In-Reply-To"))),
		References: extract.MessageIDs(header.Get("References")), Header: machineHeader(header.Get), Recipients: []string{m.OriginalRecipient},
	}
	if found.MessageID == "" && m.MessageID != "" {
		found.MessageID = "postmark:" + m.MessageID
	}
	if date, err := mail.ParseDate(m.Date); err == nil {
		found.Date = date.UTC()
	}
	for _, one := range append(m.ToFull, m.CcFull...) {
		found.Recipients = append(found.Recipients, one.Email)
	}
	for i, file := range m.Attachments {
		content, err := base64.StdEncoding.DecodeString(file.Content)
		if err != nil {
			malformed = append(malformed, fmt.Sprintf("attachment %d is not base64", i+1))
			continue
		}
		found.Files = append(found.Files, extract.MessageFile{Name: line(file.Name), ContentType: line(file.ContentType), Content: content})
	}
	return found, malformed
}
