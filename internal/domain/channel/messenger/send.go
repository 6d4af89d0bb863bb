package messenger

import (
	"context"
	"net/http"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Send implements provider.Provider.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	settings, err := configOf(c.Config)
	if err != nil {
		return provider.Sent{}, err
	}
	call := meta.Call{Method: http.MethodPost, Path: "/" + settings.PageID + "/messages", ContentType: "application/json"}
	recipient, message := map[string]string{"id": m.To}, map[string]any{}
	if m.ReplyTo != "" {
		message["reply_to"] = map[string]string{"mid": m.ReplyTo}
	}
	body := map[string]any{"recipient": recipient, "message": message, "messaging_type": "RESPONSE"}
	// The tag is for people: an agent's message must be within the standard window.
	if settings.HumanAgentTag && !m.Automatic {
		body["messaging_type"], body["tag"] = "MESSAGE_TAG", "HUMAN_AGENT"
	}
	if len(m.Attachments) == 0 {
		message["text"] = m.Text
		call.Body = meta.JSON(body)
	} else {
		message["attachment"] = map[string]any{"type": typeOf(m.Attachments[0].Type), "payload": map[string]bool{"is_reusable": false}}
		call.Body, call.ContentType, err = httpcall.Form(ctx, fields(body), httpcall.File{OutboundAttachment: m.Attachments[0], Field: "filedata"})
	}
	if err != nil {
		return provider.Sent{}, err
	}
	var result struct {
		MessageID string `json:"message_id"`
	}
	if err := p.do(ctx, c, call, &result); err != nil {
		return provider.Sent{}, err
	}
	if result.MessageID == "" {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "Messenger's response has no message.", Ambiguous: true}
	}
	return provider.Sent{ExternalIDs: []string{result.MessageID}}, nil
}

// fields are the properties of a body as fields of a form: texts as they are, others as JSON.
func fields(body map[string]any) map[string]string {
	encoded := make(map[string]string, len(body))
	for name, value := range body {
		if text, ok := value.(string); ok {
			encoded[name] = text
		} else {
			encoded[name] = string(meta.JSON(value))
		}
	}
	return encoded
}

// typeOf is how Messenger shows a file.
func typeOf(kind provider.AttachmentType) string {
	switch kind {
	case provider.Image:
		return "image"
	case provider.Audio:
		return "audio"
	case provider.Video:
		return "video"
	case provider.Other:
	}
	return "file"
}
