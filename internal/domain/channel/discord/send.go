package discord

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// maxNonce is the longest nonce that Discord accepts, in characters.
const maxNonce = 25

// Send implements provider.Provider by creating a message. With enforce_nonce, Discord
// returns the message that it has already created instead of creating another.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	room := m.To
	if of, _, ok := cutID(m.Thread); ok {
		room = of
	}
	if !snowflake.MatchString(room) {
		return provider.Sent{}, &provider.SendError{Kind: provider.Blocked, Detail: "The contact has no Discord channel."}
	}
	parameters := map[string]any{"nonce": nonce(m.Key), "enforce_nonce": true, "allowed_mentions": map[string]any{"parse": []string{}}}
	if m.Text != "" {
		parameters["content"] = m.Text
	}
	if of, id, ok := cutID(m.ReplyTo); ok && of == room {
		parameters["message_reference"] = map[string]any{"message_id": id, "fail_if_not_exists": false}
	}
	body, contentType, err := encode(ctx, parameters, m.Attachments)
	if err != nil {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "The attachment cannot be read.", Cause: err}
	}
	var created struct {
		ID string `json:"id"`
	}
	err = p.call(ctx, c, apiclient.Request{
		Method: http.MethodPost, URL: "/channels/" + room + "/messages", Body: body, Header: http.Header{"Content-Type": {contentType}},
	}, &created)
	if err != nil {
		return provider.Sent{}, err
	}
	if created.ID == "" {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "Discord's response names no message.", Ambiguous: true}
	}
	return provider.Sent{ExternalIDs: []string{messageID(room, created.ID)}}, nil
}

// nonce is what Discord recognizes a message by.
func nonce(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:maxNonce]
}

// encode returns the body of a message: a form if there are files.
func encode(ctx context.Context, parameters map[string]any, files []provider.OutboundAttachment) (body []byte, contentType string, err error) {
	payload, err := json.Marshal(parameters)
	if err != nil || len(files) == 0 {
		return payload, "application/json", err
	}
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	if err := w.WriteField("payload_json", string(payload)); err != nil {
		return nil, "", fmt.Errorf("payload: %w", err)
	}
	for i, one := range files {
		if err := attach(ctx, w, fmt.Sprintf("files[%d]", i), one); err != nil {
			return nil, "", err
		}
	}
	err = w.Close()
	return buffer.Bytes(), w.FormDataContentType(), err
}

func attach(ctx context.Context, w *multipart.Writer, field string, one provider.OutboundAttachment) error {
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(field, one.Name)}, "Content-Type": {one.ContentType},
	})
	if err != nil {
		return fmt.Errorf("file: %w", err)
	}
	from, err := one.Open(ctx)
	if err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	defer func() { _ = from.Close() }()
	if _, err := io.Copy(part, from); err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	return nil
}

// messageID names a message. Room is what this package calls Discord's channels.
func messageID(room, id string) string { return room + ":" + id }

func cutID(id string) (room, rest string, ok bool) {
	room, rest, ok = strings.Cut(id, ":")
	return room, rest, ok && room != "" && rest != ""
}
