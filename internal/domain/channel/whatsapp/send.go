package whatsapp

import (
	"context"
	"net/http"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Send implements provider.Provider.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	settings, err := configOf(c)
	if err != nil {
		return provider.Sent{}, err
	}
	body := map[string]any{"messaging_product": "whatsapp", "recipient_type": "individual"}
	body[recipientField(m.To)] = m.To
	if m.ReplyTo != "" {
		body["context"] = map[string]string{"message_id": m.ReplyTo}
	}
	switch {
	case m.Template != nil:
		body["type"], body["template"] = "template", template(*m.Template)
	case len(m.Attachments) > 0:
		if err := p.attach(ctx, c, settings, m.Attachments[0], body); err != nil {
			return provider.Sent{}, err
		}
	default:
		body["type"], body["text"] = "text", map[string]any{"body": m.Text, "preview_url": false}
	}
	return p.post(ctx, c, settings, body)
}

// recipientField is the property that names a contact: phone numbers have digits alone,
// IDs of people with usernames do not.
func recipientField(to string) string {
	if strings.Trim(to, "0123456789") == "" {
		return "to"
	}
	return "recipient"
}

// post sends a message.
func (p *Provider) post(ctx context.Context, c provider.Channel, settings config, body map[string]any) (provider.Sent, error) {
	var result struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	call := meta.Call{Method: http.MethodPost, Path: "/" + settings.PhoneNumberID + "/messages", ContentType: "application/json", Header: bearer(c), Body: meta.JSON(body)}
	if err := p.graph().Do(ctx, c, call, &result); err != nil {
		return provider.Sent{}, err
	}
	if len(result.Messages) == 0 || result.Messages[0].ID == "" {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "WhatsApp's response has no message.", Ambiguous: true}
	}
	return provider.Sent{ExternalIDs: []string{result.Messages[0].ID}}, nil
}

// attach uploads a file and adds it to a message.
func (p *Provider) attach(ctx context.Context, c provider.Channel, settings config, file provider.OutboundAttachment, message map[string]any) error {
	form, contentType, err := httpcall.Form(ctx, map[string]string{"messaging_product": "whatsapp", "type": file.ContentType}, httpcall.File{OutboundAttachment: file, Field: "file"})
	if err != nil {
		return err
	}
	var uploaded struct {
		ID string `json:"id"`
	}
	// The upload sends nothing to the contact, so it can be repeated.
	call := meta.Call{Method: http.MethodPost, Path: "/" + settings.PhoneNumberID + "/media", ContentType: contentType, Header: bearer(c), Body: form, Safe: true}
	if err := p.graph().Do(ctx, c, call, &uploaded); err != nil {
		return err
	}
	kind := kindOf(file.ContentType)
	media := map[string]string{"id": uploaded.ID}
	if kind == "document" {
		media["filename"] = file.Name
	}
	message["type"], message[kind] = kind, media
	return nil
}

// kindOf is how WhatsApp shows a file. Formats that it does not show are documents.
func kindOf(contentType string) string {
	switch contentType {
	case "image/jpeg", "image/png":
		return "image"
	case "audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg":
		return "audio"
	case "video/mp4", "video/3gpp":
		return "video"
	}
	return "document"
}
