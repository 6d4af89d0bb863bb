package discord

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Types of messages that people write.
const (
	defaultMessage = 0
	replyMessage   = 19
)

// mention is what a message to a bot begins with in a server.
var mention = regexp.MustCompile(`^<@!?[0-9]+>\s*`)

type message struct {
	ID        string    `json:"id"`
	Type      int       `json:"type"`
	Room      string    `json:"channel_id"`
	Guild     string    `json:"guild_id"` // empty in direct messages
	Author    *user     `json:"author"`
	Webhook   string    `json:"webhook_id"`
	Content   *string   `json:"content"`
	SentAt    time.Time `json:"timestamp"`
	Edited    time.Time `json:"edited_timestamp"`
	Reference *struct {
		Room string `json:"channel_id"`
		ID   string `json:"message_id"`
	} `json:"message_reference"`
	Attachments []attachment `json:"attachments"`
}

type user struct {
	ID         string `json:"id"`
	Bot        bool   `json:"bot"`
	Username   string `json:"username"`
	GlobalName string `json:"global_name"`
}

type attachment struct {
	Name        string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	URL         string `json:"url"`
}

// dispatched returns what an event of the Gateway means.
func dispatched(kind string, data json.RawMessage) ([]provider.Item, error) {
	var m message
	var deleted struct {
		message

		IDs []string `json:"ids"`
	}
	var err error
	switch kind {
	case "MESSAGE_CREATE":
		if err = json.Unmarshal(data, &m); err == nil {
			return m.created(), nil
		}
	case "MESSAGE_UPDATE":
		if err = json.Unmarshal(data, &m); err == nil {
			return m.updated(), nil
		}
	case "MESSAGE_DELETE", "MESSAGE_DELETE_BULK":
		if err = json.Unmarshal(data, &deleted); err == nil {
			var items []provider.Item
			for _, id := range append(deleted.IDs, deleted.ID) {
				if id != "" {
					items = append(items, provider.Edit{ExternalID: messageID(deleted.Room, id), Removed: true})
				}
			}
			return items, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("discord: %s: %w", kind, err)
	}
	return nil, nil
}

// human reports whether a person wrote the message. The bot's own have the author, too.
func (m message) human() bool { return m.Author != nil && !m.Author.Bot && m.Webhook == "" }

// created returns a new message. In servers, messages that do not mention the bot have no
// content, and are not for it.
func (m message) created() []provider.Item {
	empty := (m.Content == nil || *m.Content == "") && len(m.Attachments) == 0
	if !m.human() || m.Type != defaultMessage && m.Type != replyMessage || empty || m.ID == "" || m.Room == "" {
		return nil
	}
	item := provider.Message{
		ExternalID: messageID(m.Room, m.ID), From: m.Author.identity(m.Room, m.Guild), Thread: thread(m.Room, m.Guild, m.Author.ID),
		Text: m.text(), SentAt: m.SentAt.UTC(),
	}
	if m.Reference != nil && m.Reference.ID != "" {
		item.ReplyTo = messageID(cmp.Or(m.Reference.Room, m.Room), m.Reference.ID)
	}
	for _, one := range m.Attachments {
		at, err := url.Parse(one.URL)
		if err != nil || at.Path == "" {
			continue
		}
		contentType, _, _ := strings.Cut(one.ContentType, ";")
		item.Attachments = append(item.Attachments, provider.Attachment{
			Type: provider.TypeOf(contentType), Name: one.Name, ContentType: contentType, SizeBytes: one.Size, ExternalID: at.RequestURI(),
		})
	}
	return []provider.Item{item}
}

// updated returns an edit. Discord also reports that it has added a preview.
func (m message) updated() []provider.Item {
	if !m.human() || m.Content == nil || m.Edited.IsZero() {
		return nil
	}
	return []provider.Item{provider.Edit{ExternalID: messageID(m.Room, m.ID), Text: m.text(), At: m.Edited.UTC()}}
}

func (m message) text() string {
	if m.Content == nil {
		return ""
	}
	if m.Guild == "" {
		return *m.Content
	}
	return mention.ReplaceAllString(*m.Content, "")
}

// identity is how the channel knows a person, who is written to where they write directly.
func (u user) identity(room, guild string) provider.Identity {
	identity := provider.Identity{ExternalID: u.ID, Name: cmp.Or(u.GlobalName, u.Username)}
	if guild == "" {
		identity.Address = room
	}
	return identity
}

// thread is that of a person in a room of a server; empty for direct messages.
func thread(room, guild, user string) string {
	if guild == "" {
		return ""
	}
	return messageID(room, user)
}
