//go:build linux

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/avelto/convo/scripts/ledger/check"
)

const (
	feedPage  = 200
	feedPause = 200 * time.Millisecond
)

// Event is an event as the feed and webhooks show it.
type Event struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Sequence int64  `json:"sequence"`
	Data     struct {
		Lead struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		} `json:"lead"`
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
	} `json:"data"`
}

// Numbered is what check needs of events.
func Numbered(events []Event) []check.Numbered {
	numbered := make([]check.Numbered, len(events))
	for i, one := range events {
		numbered[i] = check.Numbered{Sequence: one.Sequence, ID: one.ID}
	}
	return numbered
}

// Follower reads the feed of events on from the last one that it has seen.
type Follower struct {
	Client *Client

	events []Event
}

// Run follows the feed until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	for wait(ctx, feedPause) {
		for f.page(ctx) == feedPage {
		}
	}
}

// page reads a page and returns its length, or -1 without a response.
func (f *Follower) page(ctx context.Context) int {
	after := int64(0)
	if len(f.events) > 0 {
		after = f.events[len(f.events)-1].Sequence
	}
	out := f.Client.read(ctx, fmt.Sprintf("/events?after=%d&limit=%d", after, feedPage))
	var rows []Event
	if !out.ok() || json.Unmarshal(out.body, &rows) != nil {
		return -1
	}
	f.events = append(f.events, rows...)
	return len(rows)
}

// Events returns what was read. Call it after Run.
func (f *Follower) Events() []Event { return f.events }

// ReadFeed reads all events of the workspace.
func ReadFeed(ctx context.Context, client *Client) ([]Event, error) {
	f := &Follower{Client: client}
	for {
		switch f.page(ctx) {
		case feedPage:
		case -1:
			if !wait(ctx, maxWait) {
				return nil, fmt.Errorf("read the events: %w", ctx.Err())
			}
		default:
			return f.events, nil
		}
	}
}
