package telegram

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Send implements provider.Provider by sendMessage, or by the method of the attachment's
// type.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	var result struct {
		ID int64 `json:"message_id"`
	}
	err := p.send(ctx, c, m, &result)
	if err != nil {
		return provider.Sent{}, err
	}
	chatID, err := strconv.ParseInt(m.To, 10, 64)
	if err != nil {
		return provider.Sent{}, fmt.Errorf("telegram: chat: %w", err)
	}
	return provider.Sent{ExternalIDs: []string{externalID(chatID, result.ID)}}, nil
}

func (p *Provider) send(ctx context.Context, c provider.Channel, m provider.Outbound, result any) error {
	if len(m.Attachments) > 0 {
		return p.sendFile(ctx, c, m, result)
	}
	parameters := map[string]any{"chat_id": m.To, "text": m.Text}
	if replyTo, ok := messageID(m.ReplyTo); ok {
		parameters["reply_parameters"] = map[string]any{"message_id": replyTo, "allow_sending_without_reply": true}
	}
	return p.call(ctx, c, "sendMessage", parameters, result)
}

// messageID returns the number of a message in its chat.
func messageID(externalID string) (int64, bool) {
	_, number, ok := strings.Cut(externalID, ":")
	if !ok {
		return 0, false
	}
	parsed, err := strconv.ParseInt(number, 10, 64)
	return parsed, err == nil
}

// sendFile uploads the attachment of a part.
func (p *Provider) sendFile(ctx context.Context, c provider.Channel, m provider.Outbound, result any) error {
	attachment := m.Attachments[0]
	method, field := methodFor(attachment.ContentType)
	fields := map[string]string{"chat_id": m.To}
	if m.Text != "" {
		fields["caption"] = m.Text
	}
	body, contentType, err := httpcall.Form(ctx, fields, httpcall.File{OutboundAttachment: attachment, Field: field})
	if err != nil {
		return err
	}
	return p.post(ctx, c, method, contentType, body, result)
}

// methodFor returns the method that shows a file as what it is, and the name of its
// parameter. Other formats are sent as documents.
func methodFor(contentType string) (method, field string) {
	switch contentType {
	case "image/jpeg", "image/png", "image/webp":
		return "sendPhoto", "photo"
	case "audio/ogg":
		return "sendVoice", "voice"
	case "audio/mpeg", "audio/mp4":
		return "sendAudio", "audio"
	case "video/mp4":
		return "sendVideo", "video"
	}
	return "sendDocument", "document"
}
