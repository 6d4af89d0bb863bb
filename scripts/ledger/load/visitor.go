//go:build linux

package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// Visitor is a visitor of a website, whose client reads the stream of events.
type Visitor struct {
	client *Client
	token  string

	mu       sync.Mutex
	talk     string            // the conversation's ID
	messages map[string]string // texts by the messages' IDs
	last     string            // ID of the last event
}

// visit begins the session of a visitor, which outlasts a run.
func visit(ctx context.Context, client *Client, channel string, i int) (*Visitor, error) {
	out := client.post(ctx, client.Base+"/widget/sessions", nil, fmt.Sprintf(`{"channelId":%q}`, channel), nil)
	var session struct {
		Token string `json:"token"`
	}
	if !out.ok() || json.Unmarshal(out.body, &session) != nil {
		return nil, fmt.Errorf("visitor %d: %d %s", i, out.status, out.body)
	}
	return &Visitor{client: client, token: session.Token, messages: map[string]string{}}, nil
}

// write sends a message until it is accepted.
func (v *Visitor) write(ctx context.Context, _ int, text string) bool {
	body := fmt.Sprintf(`{"clientMessageId":%q,"content":%q}`, uuid.New(), text)
	return v.client.post(ctx, v.client.Base+"/widget/messages", http.Header{"Authorization": {"Bearer " + v.token}}, body, nil).ok()
}

// follow reads the stream until ctx ends. When it breaks, it continues after the last event
// that had an ID.
func (v *Visitor) follow(ctx context.Context) {
	for wait(ctx, maxWait) {
		_ = v.read(ctx) // it is opened again
	}
}

func (v *Visitor) read(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.client.Base+"/widget/events", nil)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+v.token)
	if v.last != "" {
		request.Header.Set("Last-Event-ID", v.last)
	}
	response, err := streams.Do(request)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("stream: %d", response.StatusCode)
	}
	var name, id string
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			v.receive(name, value)
			if id != "" {
				v.last, id = id, ""
			}
		}
	}
}

// streams opens a connection for each stream. One without a heartbeat is not noticed, but the
// parts between client and server close theirs.
var streams = http.Client{Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: attemptTimeout}}

func (v *Visitor) receive(name, data string) {
	var event struct {
		ID      string `json:"id"`
		Content string `json:"content"`
	}
	if json.Unmarshal([]byte(data), &event) != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch name {
	case "conversation":
		v.talk = event.ID
	case "message":
		v.messages[event.ID] = event.Content
	}
}

func (v *Visitor) conversation() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.talk
}

// texts returns the text of each message that was shown.
func (v *Visitor) texts() (texts []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, text := range v.messages {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

// post sends a body without the token of the API until it is accepted. refused, which may be
// nil, receives responses that no fault explains; too many requests are none.
func (c *Client) post(ctx context.Context, url string, header http.Header, body string, refused func(reply)) (out reply) {
	for {
		out = c.postOnce(ctx, url, header, body)
		switch {
		case out.ok():
			return out
		case !out.again() && out.status != http.StatusTooManyRequests:
			if refused != nil {
				refused(out)
			}
			return out
		case !wait(ctx, maxWait):
			return out
		}
	}
}

func (c *Client) postOnce(ctx context.Context, url string, header http.Header, body string) (out reply) {
	message, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return out
	}
	message.ContentLength = int64(len(body))
	if header != nil {
		message.Header = header.Clone()
	}
	message.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(message)
	if err != nil {
		return out
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return out
	}
	out.status, out.body = response.StatusCode, content
	return out
}
