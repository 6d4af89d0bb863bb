package telegram

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// secretHeader carries the secret that Connect registered.
const secretHeader = "X-Telegram-Bot-Api-Secret-Token" //nolint:gosec // the name of a header

// privateChat is the only type of chat that is a conversation with one contact.
const privateChat = "private"

// update is an Update of the Bot API; only what a conversation needs.
type update struct {
	Message       *message    `json:"message"`
	EditedMessage *message    `json:"edited_message"`
	MyChatMember  *membership `json:"my_chat_member"`
}

type message struct {
	ID       int64  `json:"message_id"`
	From     user   `json:"from"`
	Chat     chat   `json:"chat"`
	Date     int64  `json:"date"`
	EditDate int64  `json:"edit_date"`
	Text     string `json:"text"`
	Caption  string `json:"caption"`
	ReplyTo  *struct {
		ID int64 `json:"message_id"`
	} `json:"reply_to_message"`
	Photo     []file    `json:"photo"`
	Document  *file     `json:"document"`
	Voice     *file     `json:"voice"`
	Audio     *file     `json:"audio"`
	Video     *file     `json:"video"`
	VideoNote *file     `json:"video_note"`
	Sticker   *sticker  `json:"sticker"`
	Location  *location `json:"location"`
	Contact   *contact  `json:"contact"`
}

type user struct {
	ID        int64  `json:"id"`
	IsBot     bool   `json:"is_bot"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Username  string `json:"username"`
}

type chat struct {
	ID   int64  `json:"id"`
	Type string `json:"type"`
}

type file struct {
	ID       string `json:"file_id"`
	Name     string `json:"file_name"`
	MIMEType string `json:"mime_type"`
	Size     *int64 `json:"file_size"`
}

type sticker struct {
	Emoji string `json:"emoji"`
}

type location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

type contact struct {
	Phone     string `json:"phone_number"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

type membership struct {
	Chat      chat `json:"chat"`
	NewMember struct {
		Status string `json:"status"`
	} `json:"new_chat_member"`
}

// Receive implements provider.Provider. Chats of several people are ignored.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	secret := c.Credentials[hookSecret]
	if secret == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get(secretHeader)), []byte(secret)) != 1 {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var u update
	if err := json.Unmarshal(r.Body, &u); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	var received provider.Received
	switch {
	case u.Message != nil && conversational(u.Message):
		received.Items = append(received.Items, inbound(u.Message))
	case u.EditedMessage != nil && conversational(u.EditedMessage):
		m := u.EditedMessage
		received.Items = append(received.Items, provider.Edit{ExternalID: m.externalID(), Text: m.content(), At: time.Unix(cmp.Or(m.EditDate, m.Date), 0).UTC()})
	case u.MyChatMember != nil && u.MyChatMember.Chat.Type == privateChat:
		// "kicked" is how Telegram calls a bot that the user has blocked.
		on := u.MyChatMember.NewMember.Status == "kicked"
		received.Items = append(received.Items, provider.Block{From: strconv.FormatInt(u.MyChatMember.Chat.ID, 10), On: on})
	}
	return received, nil
}

func conversational(m *message) bool { return m.Chat.Type == privateChat && !m.From.IsBot }

func inbound(m *message) provider.Message {
	item := provider.Message{
		ExternalID: m.externalID(), Text: m.content(), SentAt: time.Unix(m.Date, 0).UTC(), Attachments: m.attachments(),
		From: provider.Identity{
			ExternalID: strconv.FormatInt(m.Chat.ID, 10),
			Name:       cmp.Or(strings.TrimSpace(m.From.FirstName+" "+m.From.LastName), m.From.Username),
		},
	}
	if m.ReplyTo != nil {
		item.ReplyTo = externalID(m.Chat.ID, m.ReplyTo.ID)
	}
	if m.Contact != nil {
		item.From.Phone = m.Contact.Phone
	}
	return item
}

func (m *message) externalID() string { return externalID(m.Chat.ID, m.ID) }

// externalID names a message: IDs are unique within a chat only.
func externalID(chatID, messageID int64) string {
	return strconv.FormatInt(chatID, 10) + ":" + strconv.FormatInt(messageID, 10)
}

// content is the text of a message, or a text that stands for what it shows.
func (m *message) content() string {
	switch {
	case m.Text != "" || m.Caption != "":
		return cmp.Or(m.Text, m.Caption)
	case m.Sticker != nil:
		return m.Sticker.Emoji
	case m.Location != nil:
		return fmt.Sprintf("%.6f, %.6f", m.Location.Latitude, m.Location.Longitude)
	case m.Contact != nil:
		return strings.TrimSpace(m.Contact.FirstName + " " + m.Contact.LastName + " " + m.Contact.Phone)
	}
	return ""
}

func (m *message) attachments() []provider.Attachment {
	var attachments []provider.Attachment
	add := func(kind provider.AttachmentType, f *file, contentType, name string) {
		if f == nil {
			return
		}
		size := int64(-1)
		if f.Size != nil {
			size = *f.Size
		}
		attachments = append(attachments, provider.Attachment{
			Type: kind, ExternalID: f.ID, SizeBytes: size, Name: cmp.Or(f.Name, name), ContentType: cmp.Or(f.MIMEType, contentType),
		})
	}
	if len(m.Photo) > 0 {
		add(provider.Image, &m.Photo[len(m.Photo)-1], "image/jpeg", "photo.jpg") // the largest
	}
	add(provider.Other, m.Document, "application/octet-stream", "document")
	add(provider.Audio, m.Voice, "audio/ogg", "voice.ogg")
	add(provider.Audio, m.Audio, "audio/mpeg", "audio.mp3")
	add(provider.Video, m.Video, "video/mp4", "video.mp4")
	add(provider.Video, m.VideoNote, "video/mp4", "video.mp4")
	return attachments
}
