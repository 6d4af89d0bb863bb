package viber

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

const signatureHeader = "X-Viber-Content-Signature"

// callback is what Viber posts to a hook; only what a conversation needs. Tokens do not fit
// into a float.
type callback struct {
	Event     string      `json:"event"`
	Timestamp int64       `json:"timestamp"` // milliseconds
	Token     json.Number `json:"message_token"`
	UserID    string      `json:"user_id"`
	User      user        `json:"user"`
	Sender    user        `json:"sender"`
	Detail    string      `json:"desc"`
	Message   message     `json:"message"`
}

type user struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type message struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Media    string `json:"media"`
	FileName string `json:"file_name"`
	Size     *int64 `json:"size"`
	Location struct {
		Latitude  float64 `json:"lat"`
		Longitude float64 `json:"lon"`
	} `json:"location"`
	Contact struct {
		Name  string `json:"name"`
		Phone string `json:"phone_number"`
	} `json:"contact"`
}

// Receive implements provider.Provider.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	given, err := hex.DecodeString(r.Header.Get(signatureHeader))
	token := c.Credentials[authToken]
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(r.Body)
	if err != nil || token == "" || !hmac.Equal(mac.Sum(nil), given) {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var in callback
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	if in.Event == "conversation_started" {
		return provider.Received{Reply: greeting(configOf(c))}, nil
	}
	if item, ok := in.item(); ok {
		return provider.Received{Items: []provider.Item{item}}, nil
	}
	return provider.Received{}, nil
}

// greeting is what people see who open the bot: they have not written yet, so Viber accepts
// a message in the response alone.
func greeting(settings config) *provider.Reply {
	if settings.Greeting == "" {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"sender": map[string]string{"name": settings.SenderName}, "type": "text", "text": settings.Greeting, "min_api_version": 1,
	})
	if err != nil {
		return nil
	}
	return &provider.Reply{Status: http.StatusOK, ContentType: "application/json", Body: body}
}

func (in callback) item() (provider.Item, bool) {
	switch in.Event {
	case "message":
		found := provider.Message{
			ExternalID: in.Token.String(), From: provider.Identity{ExternalID: in.Sender.ID, Name: in.Sender.Name},
			Text: in.Message.content(), SentAt: time.UnixMilli(in.Timestamp).UTC(), Attachments: in.Message.files(),
		}
		return found, found.ExternalID != "" && found.From.ExternalID != "" && (found.Text != "" || found.Attachments != nil)
	case "delivered":
		return provider.Status{ExternalID: in.Token.String(), Status: api.DeliveryStatusDELIVERED}, in.Token != ""
	case "seen":
		return provider.Status{ExternalID: in.Token.String(), Status: api.DeliveryStatusREAD}, in.Token != ""
	case "failed":
		return provider.Status{ExternalID: in.Token.String(), Status: api.DeliveryStatusFAILED, Kind: provider.Permanent, Detail: in.Detail}, in.Token != ""
	case "unsubscribed":
		return provider.Block{From: in.UserID, On: true}, in.UserID != ""
	case "subscribed":
		return provider.Block{From: in.User.ID}, in.User.ID != ""
	}
	return nil, false // such as webhook, by which Viber tests the hook
}

// content is the text of a message, or a text that stands for what it shows.
func (m message) content() string {
	switch m.Type {
	case "location":
		return fmt.Sprintf("%.6f, %.6f", m.Location.Latitude, m.Location.Longitude)
	case "contact":
		return strings.TrimSpace(m.Contact.Name + " " + m.Contact.Phone)
	case "url":
		return m.Media
	}
	return m.Text
}

var types = map[string]provider.AttachmentType{"picture": provider.Image, "video": provider.Video, "file": provider.Other, "sticker": provider.Image}

func (m message) files() []provider.Attachment {
	kind, ok := types[m.Type]
	if !ok || m.Media == "" {
		return nil
	}
	size := int64(-1)
	if m.Size != nil {
		size = *m.Size
	}
	return []provider.Attachment{{Type: kind, Name: m.FileName, ExternalID: m.Media, SizeBytes: size}}
}
