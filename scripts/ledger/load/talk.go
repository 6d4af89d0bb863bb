//go:build linux

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	chats = 6
	// visitors is less than how many conversations one address may begin.
	visitors = 4
	// chatPause keeps below one message a second to a chat, which is the provider's limit;
	// visitorPause below 20 messages a minute of a visitor.
	chatPause, visitorPause = 1500 * time.Millisecond, 4 * time.Second
	hookSecret              = "ledger-hook-secret-0123456789" //nolint:gosec // of a simulated provider
)

// Talk has contacts who write through channels, and operators who reply: chats of a provider,
// and visitors of a website.
type Talk struct {
	Client *Client

	channels []string // of the chats; each has one
	visitors []*Visitor

	mu       sync.Mutex
	heard    []string // acknowledged messages of contacts
	toChats  []string // acknowledged replies to chats
	unknown  []string // replies without an acknowledgment
	problems []string
}

// OpenTalk creates the channels. The provider's address is as the workers reach it.
func OpenTalk(ctx context.Context, client *Client, provider string) (*Talk, error) {
	t := &Talk{Client: client}
	agent, err := t.create(ctx, "/agents", `{"name":"Agent","modelProvider":"openai","modelName":"gpt"}`)
	if err != nil {
		return nil, err
	}
	for range chats {
		body := fmt.Sprintf(`{"type":"TELEGRAM","name":"Bot","agentId":%q,"apiBaseUrl":"http://%s","credentials":{"botToken":"123456:%s","hookSecret":%q}}`,
			agent, provider, strings.Repeat("a", 35), hookSecret)
		channel, err := t.create(ctx, "/channels", body)
		if err != nil {
			return nil, err
		}
		t.channels = append(t.channels, channel)
	}
	site, err := t.create(ctx, "/channels", fmt.Sprintf(`{"type":"WEBSITE","name":"Site","agentId":%q}`, agent))
	if err != nil {
		return nil, err
	}
	for i := range visitors {
		v, err := visit(ctx, client, site, i)
		if err != nil {
			return nil, err
		}
		t.visitors = append(t.visitors, v)
	}
	return t, nil
}

func (t *Talk) create(ctx context.Context, path, body string) (id string, err error) {
	out := t.Client.send(ctx, request{method: http.MethodPost, path: path, body: body}, "talk")
	var created struct {
		ID     string `json:"id"`
		Status string `json:"status"` // of a channel
	}
	if !out.ok() || json.Unmarshal(out.body, &created) != nil || created.Status == "ERROR" {
		return "", fmt.Errorf("create %s: %d %s", path, out.status, out.body)
	}
	return created.ID, nil
}

// Run lets all of them write until ctx ends.
func (t *Talk) Run(ctx context.Context) {
	var running sync.WaitGroup
	for i, channel := range t.channels {
		running.Go(func() {
			t.converse(ctx, fmt.Sprintf("chat-%d", i), chatPause, func(ctx context.Context, n int, text string) bool {
				return t.deliver(ctx, i, n, text)
			}, func(ctx context.Context) string { return t.conversation(ctx, channel) })
		})
	}
	for i, v := range t.visitors {
		running.Go(func() {
			t.converse(ctx, fmt.Sprintf("visitor-%d", i), visitorPause, v.write, func(context.Context) string { return v.conversation() })
		})
	}
	running.Wait()
}

// Follow reads the streams of the visitors until ctx ends.
func (t *Talk) Follow(ctx context.Context) {
	var running sync.WaitGroup
	for _, v := range t.visitors {
		running.Go(func() { v.follow(ctx) })
	}
	running.Wait()
}

// converse writes messages, each followed by a reply of an operator.
func (t *Talk) converse(ctx context.Context, name string, pause time.Duration, write func(ctx context.Context, n int, text string) bool, find func(context.Context) string) {
	conversation := ""
	for n := 0; wait(ctx, pause); n++ {
		text := fmt.Sprintf("%s-%d", name, n)
		// It is completed after ctx has ended, since its outcome would be unknown otherwise.
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		ok := write(writing, n, text)
		if ok && conversation == "" {
			conversation = t.handOff(writing, name, find)
		}
		cancel()
		if !ok || conversation == "" {
			t.failf("%s: no outcome", text)
			return
		}
		t.add(&t.heard, text)
		t.reply(ctx, conversation, "reply-to-"+text)
	}
}

// handOff finds the conversation and hands it off to operators.
func (t *Talk) handOff(ctx context.Context, name string, find func(context.Context) string) string {
	for {
		if id := find(ctx); id != "" {
			of := &Change{ID: "hand-off-" + name, Operation: "handOffConversation"}
			if _, ok := t.Client.change(ctx, of, request{method: http.MethodPost, path: "/conversations/" + id + "/hand-off", key: of.ID, body: "{}"}); ok {
				return id
			}
			return ""
		}
		if !wait(ctx, maxWait) {
			return ""
		}
	}
}

func (t *Talk) reply(ctx context.Context, conversation, text string) {
	of := &Change{ID: text, Operation: "sendOperatorMessage"}
	_, ok := t.Client.change(ctx, of, request{
		method: http.MethodPost, path: "/conversations/" + conversation + "/operator-message", key: text, body: fmt.Sprintf(`{"content":%q}`, text),
	})
	switch {
	case !ok:
		t.add(&t.unknown, text)
	case strings.HasPrefix(text, "reply-to-chat"):
		t.add(&t.toChats, text)
	}
}

// deliver sends an update to the hook of a channel until it is accepted, as the provider does.
func (t *Talk) deliver(ctx context.Context, chat, n int, text string) bool {
	const firstChat = 1000
	body := fmt.Sprintf(`{"update_id":%d,"message":{"message_id":%d,"date":%d,"text":%q,"from":{"id":%d,"first_name":"Anna"},"chat":{"id":%d,"type":"private"}}}`,
		n+1, n+1, time.Now().Unix(), text, firstChat+chat, firstChat+chat)
	url := strings.TrimSuffix(t.Client.Base, "/api/v1") + "/hooks/" + t.channels[chat]
	return t.Client.post(ctx, url, http.Header{"X-Telegram-Bot-Api-Secret-Token": {hookSecret}}, body, func(out reply) { t.failf("%s: %d %s", text, out.status, out.body) }).ok()
}

// conversation returns the conversation of a channel, or "" if it is not known.
func (t *Talk) conversation(ctx context.Context, channel string) string {
	out := t.Client.send(ctx, request{method: http.MethodGet, path: "/conversations?channelId=" + channel}, "read")
	var rows []struct {
		ID string `json:"id"`
	}
	if !out.ok() || json.Unmarshal(out.body, &rows) != nil || len(rows) == 0 {
		return ""
	}
	return rows[0].ID
}

func (t *Talk) add(to *[]string, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*to = append(*to, text)
}

func (t *Talk) failf(format string, values ...any) {
	t.add(&t.problems, fmt.Sprintf(format, values...))
}

// Channels are the IDs of the channels of the chats.
func (t *Talk) Channels() (ids []uuid.UUID) {
	for _, channel := range t.channels {
		ids = append(ids, uuid.MustParse(channel))
	}
	return ids
}

// Heard are the messages of contacts that were acknowledged, ToChats the replies to chats, and
// Unknown the replies that may have been stored. Call them when Run has ended.
func (t *Talk) Heard() []string { return t.heard }

// ToChats are the replies to chats that were acknowledged.
func (t *Talk) ToChats() []string { return t.toChats }

// Unknown are the replies without an acknowledgment.
func (t *Talk) Unknown() []string { return t.unknown }

// Problems are outcomes that no fault explains.
func (t *Talk) Problems() []string { return t.problems }

// Caught reports whether the visitors' streams have shown all messages.
func (t *Talk) Caught(contents []string) bool {
	shown := map[string]bool{}
	for _, text := range t.Shown() {
		shown[text] = true
	}
	return !slices.ContainsFunc(contents, func(text string) bool { return !shown[text] })
}

// Shown returns the text of each message that a stream of a visitor has shown.
func (t *Talk) Shown() (texts []string) {
	for _, v := range t.visitors {
		texts = append(texts, v.texts()...)
	}
	return texts
}
