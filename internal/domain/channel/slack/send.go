package slack

import (
	"context"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Send implements provider.Provider by chat.postMessage, or by an upload. A reply to a message is
// sent to its thread.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	to, thread := m.To, ""
	for _, id := range []string{m.ReplyTo, m.Thread} {
		if room, ts, ok := cutID(id); ok {
			to, thread = room, ts
		}
	}
	if len(m.Attachments) > 0 {
		return p.share(ctx, c, m.Attachments[0], to, thread)
	}
	parameters := map[string]any{"channel": to, "text": escape(m.Text)}
	if thread != "" {
		parameters["thread_ts"] = thread
	}
	var posted struct {
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	if err := p.call(ctx, c, "chat.postMessage", parameters, &posted); err != nil {
		return provider.Sent{}, err
	}
	if posted.TS == "" {
		return provider.Sent{}, service.Unreadable(nil)
	}
	if posted.Channel != "" {
		to = posted.Channel
	}
	return provider.Sent{ExternalIDs: []string{messageID(to, posted.TS)}}, nil
}

// messageID names a message: timestamps are unique within a room only, which is what this
// package calls Slack's channels and direct messages.
func messageID(room, ts string) string { return room + ":" + ts }

// cutID returns the room and the timestamp of a message. The ID of a file has none.
func cutID(id string) (room, ts string, ok bool) {
	room, ts, ok = strings.Cut(id, ":")
	return room, ts, ok && room != "" && strings.Contains(ts, ".")
}
