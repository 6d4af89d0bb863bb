package discord

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
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
		return provider.Sent{}, err
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
func encode(ctx context.Context, parameters map[string]any, attachments []provider.OutboundAttachment) (body []byte, contentType string, err error) {
	payload, err := json.Marshal(parameters)
	if err != nil || len(attachments) == 0 {
		return payload, "application/json", err
	}
	var files []httpcall.File
	for i, one := range attachments {
		files = append(files, httpcall.File{OutboundAttachment: one, Field: fmt.Sprintf("files[%d]", i)})
	}
	return httpcall.Form(ctx, map[string]string{"payload_json": string(payload)}, files...)
}

// messageID names a message. Room is what this package calls Discord's channels.
func messageID(room, id string) string { return room + ":" + id }

func cutID(id string) (room, rest string, ok bool) {
	room, rest, ok = strings.Cut(id, ":")
	return room, rest, ok && room != "" && rest != ""
}
