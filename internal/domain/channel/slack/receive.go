package slack

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

const (
	signatureHeader = "X-Slack-Signature"
	timestampHeader = "X-Slack-Request-Timestamp"
	// maxAge is how far the time of a request may be from ours, either way.
	maxAge = 5 * time.Minute
	// directMessage is the type of a room with one person.
	directMessage = "im"
	// slackbot is Slack's own bot, which is no contact.
	slackbot = "USLACKBOT"
)

// callback is a request of the Events API.
type callback struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	TeamID    string `json:"team_id"`
	Event     event  `json:"event"`
}

type event struct {
	message

	Channel     string   `json:"channel"`
	ChannelType string   `json:"channel_type"`
	EventTS     string   `json:"event_ts"`
	DeletedTS   string   `json:"deleted_ts"`
	Message     *message `json:"message"`          // of message_changed
	Previous    *message `json:"previous_message"` // of message_changed and message_deleted
}

type message struct {
	Type     string `json:"type"`
	Subtype  string `json:"subtype"`
	User     string `json:"user"`
	BotID    string `json:"bot_id"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	Files    []file `json:"files"`
	Profile  struct {
		DisplayName string `json:"display_name"`
		RealName    string `json:"real_name"`
	} `json:"user_profile"`
	Edited *struct {
		TS string `json:"ts"`
	} `json:"edited"`
}

type file struct {
	Name       string `json:"name"`
	MIMEType   string `json:"mimetype"`
	Size       *int64 `json:"size"`
	URLPrivate string `json:"url_private"`
}

// Receive implements provider.Provider. A request that Slack sends again has the same
// messages, which are recognized by their room and time; edits change nothing twice.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	if !authentic(c.Credentials[signingSecret], r) {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var in callback
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	if in.Type == "url_verification" {
		return provider.Received{Reply: &provider.Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(in.Challenge)}}, nil
	}
	if team := configOf(c).Team; in.Type != "event_callback" || team != "" && team != in.TeamID {
		return provider.Received{}, nil
	}
	return in.Event.received(), nil
}

// authentic verifies the signature over the time and the raw body.
func authentic(secret string, r provider.Request) bool {
	sent, err := strconv.ParseInt(r.Header.Get(timestampHeader), 10, 64)
	if secret == "" || err != nil {
		return false
	}
	if age := r.ReceivedAt.Sub(time.Unix(sent, 0)); age > maxAge || age < -maxAge {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", r.Header.Get(timestampHeader), r.Body)
	return hmac.Equal([]byte(r.Header.Get(signatureHeader)), []byte("v0="+hex.EncodeToString(mac.Sum(nil))))
}

// received returns what an event means. What bots write, this one too, is ignored.
func (e event) received() provider.Received {
	if e.Type != "message" && e.Type != "app_mention" || e.Channel == "" {
		return provider.Received{}
	}
	switch e.Subtype {
	case "", "file_share", "thread_broadcast", "me_message":
		if !e.human() {
			return provider.Received{}
		}
		if e.TS == "" {
			return provider.Received{Malformed: []string{"a message without ts"}}
		}
		item, malformed := e.inbound()
		return provider.Received{Items: []provider.Item{item}, Malformed: malformed}
	case "message_changed":
		return provider.Received{Items: e.edit()}
	case "message_deleted":
		if e.DeletedTS != "" {
			return provider.Received{Items: []provider.Item{provider.Edit{ExternalID: messageID(e.Channel, e.DeletedTS), Removed: true, At: timeOf(e.EventTS)}}}
		}
	}
	return provider.Received{} // someone joined, a topic was set, …
}

func (m message) human() bool { return m.BotID == "" && m.User != "" && m.User != slackbot }

// inbound is a message. In a direct message, the thread is that of the message it replies
// to, if any. Elsewhere, each message outside a thread begins one.
func (e event) inbound() (item provider.Message, malformed []string) {
	item = provider.Message{
		ExternalID: messageID(e.Channel, e.TS), Text: unescape(e.Text), SentAt: timeOf(e.TS),
		From: provider.Identity{ExternalID: e.User, Name: cmp.Or(e.Profile.DisplayName, e.Profile.RealName)},
	}
	direct := e.ChannelType == directMessage || strings.HasPrefix(e.Channel, "D")
	if direct {
		item.From.Address = e.Channel
	}
	switch parent := e.ThreadTS; {
	case parent != "" && parent != e.TS:
		item.Thread, item.ReplyTo = messageID(e.Channel, parent), messageID(e.Channel, parent)
		item.References = []string{item.ReplyTo}
	case !direct:
		item.Thread = messageID(e.Channel, e.TS)
	}
	for _, one := range e.Files {
		at, err := url.Parse(one.URLPrivate)
		if err != nil || at.Path == "" {
			malformed = append(malformed, "a file without url_private")
			continue
		}
		size := int64(-1)
		if one.Size != nil {
			size = *one.Size
		}
		item.Attachments = append(item.Attachments, provider.Attachment{
			Type: provider.TypeOf(one.MIMEType), Name: one.Name, ContentType: one.MIMEType, SizeBytes: size, ExternalID: at.RequestURI(),
		})
	}
	return item, malformed
}

// edit returns a change of a person's message. Slack also reports previews of links as
// changes, and deleted messages of threads as tombstones.
func (e event) edit() []provider.Item {
	m := e.Message
	switch {
	case m == nil || m.TS == "":
		return nil
	case m.Subtype == "tombstone":
		return []provider.Item{provider.Edit{ExternalID: messageID(e.Channel, m.TS), Removed: true, At: timeOf(e.EventTS)}}
	case !m.human(), m.Edited == nil, e.Previous != nil && e.Previous.Text == m.Text:
		return nil
	}
	return []provider.Item{provider.Edit{ExternalID: messageID(e.Channel, m.TS), Text: unescape(m.Text), At: timeOf(m.Edited.TS)}}
}

// timeOf parses a time of Slack, such as 1482960137.003543; the zero time if it is none.
func timeOf(ts string) time.Time {
	seconds, fraction, _ := strings.Cut(ts, ".")
	whole, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	micro, _ := strconv.ParseInt(fraction, 10, 32)
	return time.Unix(whole, micro*int64(time.Microsecond)).UTC()
}
