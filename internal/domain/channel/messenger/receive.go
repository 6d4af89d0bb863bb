package messenger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// notification is what Meta posts to a hook; only what a conversation needs.
type notification struct {
	Object string `json:"object"`
	Entry  []struct {
		ID        string            `json:"id"`
		Messaging []json.RawMessage `json:"messaging"`
	} `json:"entry"`
}

type entry struct {
	Sender struct {
		ID string `json:"id"`
	} `json:"sender"`
	Timestamp int64     `json:"timestamp"` // milliseconds
	Message   *message  `json:"message"`
	Edit      *message  `json:"message_edit"`
	Postback  *postback `json:"postback"`
	Delivery  *mark     `json:"delivery"`
	Read      *mark     `json:"read"`
}

type message struct {
	ID      string `json:"mid"`
	Text    string `json:"text"`
	Echo    bool   `json:"is_echo"`
	ReplyTo struct {
		ID string `json:"mid"`
	} `json:"reply_to"`
	Attachments []struct {
		Type    string `json:"type"`
		Payload struct {
			URL   string `json:"url"`
			Title string `json:"title"`
		} `json:"payload"`
	} `json:"attachments"`
}

// postback is a button that was pressed.
type postback struct {
	ID    string `json:"mid"`
	Title string `json:"title"`
}

// mark says that all messages up to a time were delivered or read.
type mark struct {
	Watermark int64 `json:"watermark"` // milliseconds
}

// Receive implements provider.Provider. An app can have several pages; what is about others
// is ignored.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	reply, err := meta.Verify(c, r)
	if err != nil || reply != nil {
		return provider.Received{Reply: reply}, err
	}
	settings, err := configOf(c.Config)
	if err != nil {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var in notification
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	var received provider.Received
	for _, of := range in.Entry {
		if in.Object != "page" || of.ID != settings.PageID {
			continue
		}
		meta.Each(of.Messaging, &received, func(one entry) (provider.Item, bool) { return one.item(settings) })
	}
	return received, nil
}

// item returns what an entry means. Echoes are messages of the page itself.
func (e entry) item(settings config) (provider.Item, bool) {
	at := time.UnixMilli(e.Timestamp).UTC()
	switch {
	case e.Sender.ID == "" || e.Sender.ID == settings.PageID:
		return nil, false
	case e.Message != nil:
		m := e.Message
		found := provider.Message{
			ExternalID: m.ID, From: provider.Identity{ExternalID: e.Sender.ID}, Text: m.text(), ReplyTo: m.ReplyTo.ID, SentAt: at, Attachments: m.files(),
		}
		return found, !m.Echo && m.ID != "" && (found.Text != "" || found.Attachments != nil)
	case e.Edit != nil:
		return provider.Edit{ExternalID: e.Edit.ID, Text: e.Edit.Text, At: at}, true
	case e.Postback != nil:
		id := cmp.Or(e.Postback.ID, fmt.Sprintf("postback:%s:%d", e.Sender.ID, e.Timestamp))
		return provider.Message{ExternalID: id, From: provider.Identity{ExternalID: e.Sender.ID}, Text: e.Postback.Title, SentAt: at}, true
	case e.Read != nil:
		return provider.Status{Contact: e.Sender.ID, Through: time.UnixMilli(e.Read.Watermark).UTC(), Status: api.DeliveryStatusREAD}, true
	case e.Delivery != nil:
		return provider.Status{Contact: e.Sender.ID, Through: time.UnixMilli(e.Delivery.Watermark).UTC(), Status: api.DeliveryStatusDELIVERED}, true
	}
	return nil, false
}

// text is the text of a message, with the links that it shares.
func (m message) text() string {
	texts := []string{m.Text}
	for _, one := range m.Attachments {
		if one.Type == "fallback" {
			texts = append(texts, strings.TrimSpace(one.Payload.Title+" "+one.Payload.URL))
		}
	}
	return strings.TrimSpace(strings.Join(texts, "\n"))
}

var types = map[string]provider.AttachmentType{
	"image": provider.Image, "audio": provider.Audio, "video": provider.Video, "file": provider.Other,
}

func (m message) files() (files []provider.Attachment) {
	for _, one := range m.Attachments {
		if kind, ok := types[one.Type]; ok && one.Payload.URL != "" {
			files = append(files, provider.Attachment{Type: kind, ExternalID: one.Payload.URL, SizeBytes: -1})
		}
	}
	return files
}
