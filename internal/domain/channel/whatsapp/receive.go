package whatsapp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// notification is what Meta posts to a hook; only what a conversation needs.
type notification struct {
	Entry []struct {
		Changes []struct {
			Value value `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

type value struct {
	Metadata struct {
		PhoneNumberID string `json:"phone_number_id"`
	} `json:"metadata"`
	Contacts    []contact         `json:"contacts"`
	Messages    []json.RawMessage `json:"messages"`
	Statuses    []json.RawMessage `json:"statuses"`
	Preferences []json.RawMessage `json:"user_preferences"`
}

// contact describes a sender. The phone number, WaID, is absent for people with usernames.
type contact struct {
	WaID    string `json:"wa_id"`
	UserID  string `json:"user_id"`
	Profile struct {
		Name string `json:"name"`
	} `json:"profile"`
}

type message struct {
	content

	ID         string `json:"id"`
	From       string `json:"from"`
	FromUserID string `json:"from_user_id"`
	Timestamp  string `json:"timestamp"`
	Type       string `json:"type"`
	Context    struct {
		ID string `json:"id"`
	} `json:"context"`
	Edit struct {
		OriginalID string  `json:"original_message_id"`
		Message    content `json:"message"`
	} `json:"edit"`
	Revoke struct {
		OriginalID string `json:"original_message_id"`
	} `json:"revoke"`
}

type content struct {
	Text struct {
		Body string `json:"body"`
	} `json:"text"`
	Button struct {
		Text string `json:"text"`
	} `json:"button"`
	Interactive struct {
		Button struct {
			Title string `json:"title"`
		} `json:"button_reply"`
		List struct {
			Title string `json:"title"`
		} `json:"list_reply"`
	} `json:"interactive"`
	Location *struct {
		Latitude  float64 `json:"latitude"`
		Longitude float64 `json:"longitude"`
		Name      string  `json:"name"`
	} `json:"location"`
	Image    *media `json:"image"`
	Audio    *media `json:"audio"`
	Video    *media `json:"video"`
	Document *media `json:"document"`
	Sticker  *media `json:"sticker"`
}

type media struct {
	ID          string `json:"id"`
	ContentType string `json:"mime_type"`
	Caption     string `json:"caption"`
	Name        string `json:"filename"`
}

type status struct {
	ID     string         `json:"id"`
	Status string         `json:"status"`
	Errors []meta.Failure `json:"errors"`
}

type preference struct {
	WaID   string `json:"wa_id"`
	UserID string `json:"user_id"`
	Value  string `json:"value"`
}

// Receive implements provider.Provider. An app can have several numbers; what is about
// others is ignored.
func (p *Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	reply, err := meta.Verify(c, r)
	if err != nil || reply != nil {
		return provider.Received{Reply: reply}, err
	}
	settings, err := configOf(c)
	if err != nil {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var in notification
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	var received provider.Received
	for _, entry := range in.Entry {
		for _, change := range entry.Changes {
			if change.Value.Metadata.PhoneNumberID == settings.PhoneNumberID {
				p.read(change.Value, &received)
			}
		}
	}
	return received, nil
}

func (p *Provider) read(v value, received *provider.Received) {
	meta.Each(v.Messages, received, func(m message) (provider.Item, bool) { return m.item(v.Contacts) })
	meta.Each(v.Statuses, received, p.status)
	meta.Each(v.Preferences, received, func(one preference) (provider.Item, bool) {
		return provider.Block{From: cmp.Or(one.UserID, one.WaID), On: one.Value == "stop"}, one.Value == "stop" || one.Value == "resume"
	})
}

// item returns what a message means. Edits and removals arrive as messages.
func (m message) item(contacts []contact) (provider.Item, bool) {
	switch m.Type {
	case "edit":
		return provider.Edit{ExternalID: m.Edit.OriginalID, Text: m.Edit.Message.text(), At: m.at()}, true
	case "revoke":
		return provider.Edit{ExternalID: m.Revoke.OriginalID, Removed: true, At: m.at()}, true
	}
	found := provider.Message{
		ExternalID: m.ID, From: m.from(contacts), Text: m.text(), ReplyTo: m.Context.ID, SentAt: m.at(), Attachments: m.attachments(),
	}
	return found, m.ID != "" && found.From.ExternalID != "" && (found.Text != "" || found.Attachments != nil)
}

// from identifies the sender: by the ID that does not depend on a phone number if there is
// one, and by the number, where messages are sent to if it is known.
func (m message) from(contacts []contact) provider.Identity {
	userID, name := m.FromUserID, ""
	for _, one := range contacts {
		if m.From != "" && one.WaID == m.From || m.FromUserID != "" && one.UserID == m.FromUserID {
			userID, name = cmp.Or(userID, one.UserID), one.Profile.Name
		}
	}
	identity := provider.Identity{ExternalID: cmp.Or(userID, m.From), Name: name}
	if m.From != "" {
		identity.Phone = "+" + m.From
	}
	if userID != "" && m.From != "" {
		identity.Address, identity.Aliases = m.From, []string{m.From}
	}
	return identity
}

func (m message) at() time.Time {
	seconds, err := strconv.ParseInt(m.Timestamp, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// text is the text of a message, or one that stands for what it shows.
func (c content) text() string {
	text := cmp.Or(c.Text.Body, c.Button.Text, c.Interactive.Button.Title, c.Interactive.List.Title)
	for _, one := range []*media{c.Image, c.Video, c.Document} {
		if one != nil {
			text = cmp.Or(text, one.Caption)
		}
	}
	if c.Location != nil {
		text = cmp.Or(text, strings.TrimSpace(fmt.Sprintf("%.6f, %.6f %s", c.Location.Latitude, c.Location.Longitude, c.Location.Name)))
	}
	return text
}

func (c content) attachments() (attachments []provider.Attachment) {
	for _, one := range []*media{c.Image, c.Audio, c.Video, c.Document, c.Sticker} {
		if one != nil && one.ID != "" {
			kind, _, _ := strings.Cut(one.ContentType, ";")
			attachments = append(attachments, provider.Attachment{
				Type: provider.TypeOf(kind), Name: one.Name, ContentType: strings.TrimSpace(kind), SizeBytes: -1, ExternalID: one.ID,
			})
		}
	}
	return attachments
}

var statuses = map[string]api.DeliveryStatus{
	"delivered": api.DeliveryStatusDELIVERED, "read": api.DeliveryStatusREAD, "played": api.DeliveryStatusREAD, "failed": api.DeliveryStatusFAILED,
}

func (p *Provider) status(s status) (provider.Item, bool) {
	found := provider.Status{ExternalID: s.ID, Status: statuses[s.Status]}
	if found.Status == api.DeliveryStatusFAILED {
		found.Kind = provider.Permanent
		if len(s.Errors) > 0 {
			failed := p.graph().Explain(s.Errors[0], 0)
			found.Kind, found.Code, found.Detail = failed.Kind, failed.Code, failed.Detail
		}
	}
	return found, s.ID != "" && found.Status != ""
}
