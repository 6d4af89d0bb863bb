// Package fanout tells the processes of a deployment that something has changed, so that
// those that show it live read it again. It carries hints, not data: a hint can be lost or
// repeated, and its receiver compares what it has with the database.
package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// interval is how long hints are collected before they are sent to other processes.
	interval = 10 * time.Millisecond
	// maxWaiting bounds the hints that wait to be sent; the latest are dropped beyond it.
	maxWaiting = 10_000
	// sendTimeout bounds a send, so that a transport that hangs delays nothing for long.
	sendTimeout = 5 * time.Second
	// retryWait is the wait before a broken transport is used again.
	retryWait = time.Second
	// maxSignals bounds the signals that a subscriber has not read; more are dropped.
	maxSignals = 4
)

// Hint says that a topic has changed. Signal is passed on as it is, for what is not
// stored, such as that someone is typing; one that is too long for a batch does not reach other
// processes.
type Hint struct {
	Topic  uuid.UUID       `json:"t"`
	Signal json.RawMessage `json:"s,omitempty"`
}

// Transport carries batches of hints between processes. Each process receives the batches
// of all, its own included.
type Transport interface {
	// Send sends a batch.
	Send(ctx context.Context, batch []byte) error
	// Receive passes on batches until ctx ends or the transport breaks.
	Receive(ctx context.Context, deliver func(batch []byte)) error
	// MaxBatch is the longest batch, in bytes.
	MaxBatch() int
}

// Hub passes hints on to the subscribers of their topics, in this process immediately and in
// others through a transport.
type Hub struct {
	transport Transport // nil for a single process
	log       *slog.Logger
	process   string // marks the batches of this process
	queued    chan struct{}

	mu            sync.Mutex
	subscriptions map[uuid.UUID]map[*Subscription]struct{}
	waiting       []Hint
}

// NewHub returns a hub. Hints reach other processes, and theirs this one, while Run runs.
func NewHub(transport Transport, log *slog.Logger) *Hub {
	return &Hub{
		transport: transport, log: log, process: uuid.NewString(), queued: make(chan struct{}, 1),
		subscriptions: map[uuid.UUID]map[*Subscription]struct{}{},
	}
}

// Subscription receives the hints of a topic.
type Subscription struct {
	hub     *Hub
	topic   uuid.UUID
	changed chan struct{}
	signals chan json.RawMessage
}

// Subscribe begins to receive the hints of a topic. The caller closes the subscription.
func (h *Hub) Subscribe(topic uuid.UUID) *Subscription {
	s := &Subscription{hub: h, topic: topic, changed: make(chan struct{}, 1), signals: make(chan json.RawMessage, maxSignals)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subscriptions[topic] == nil {
		h.subscriptions[topic] = map[*Subscription]struct{}{}
	}
	h.subscriptions[topic][s] = struct{}{}
	return s
}

// Changed is readable after the topic has changed, however often.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Signals are the signals of hints, in their order.
func (s *Subscription) Signals() <-chan json.RawMessage { return s.signals }

// Close ends the subscription.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.subscriptions[s.topic], s)
	if len(s.hub.subscriptions[s.topic]) == 0 {
		delete(s.hub.subscriptions, s.topic)
	}
}

// Topics returns the topics that have subscribers, for a check that no hint was lost.
func (h *Hub) Topics() []uuid.UUID {
	h.mu.Lock()
	defer h.mu.Unlock()
	topics := make([]uuid.UUID, 0, len(h.subscriptions))
	for topic := range h.subscriptions {
		topics = append(topics, topic)
	}
	return topics
}

// Publish passes on hints. It does not wait: other processes receive them some
// milliseconds later. Call it after the commit of the change.
func (h *Hub) Publish(hints ...Hint) {
	h.mu.Lock()
	h.deliver(hints)
	if h.transport != nil {
		h.waiting = append(h.waiting, hints[:min(len(hints), maxWaiting-len(h.waiting))]...)
	}
	h.mu.Unlock()
	select {
	case h.queued <- struct{}{}:
	default: // Run has been told
	}
}

// Wake tells the subscribers of a topic in this process that it has changed.
func (h *Hub) Wake(topic uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deliver([]Hint{{Topic: topic}})
}

// deliver requires the lock.
func (h *Hub) deliver(hints []Hint) {
	for _, hint := range hints {
		for s := range h.subscriptions[hint.Topic] {
			if hint.Signal != nil {
				select {
				case s.signals <- hint.Signal:
				default: // too slow: what is not stored may be missed
				}
				continue
			}
			select {
			case s.changed <- struct{}{}:
			default: // it has not read the last one yet
			}
		}
	}
}

// batch is what is sent between processes.
type batch struct {
	Process string `json:"p"`
	Hints   []Hint `json:"h"`
}

// Run exchanges hints with other processes until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	if h.transport == nil {
		return
	}
	var running sync.WaitGroup
	running.Go(func() { h.receive(ctx) })
	running.Go(func() { h.send(ctx) })
	running.Wait()
}

func (h *Hub) receive(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.transport.Receive(ctx, func(raw []byte) {
			var b batch
			if json.Unmarshal(raw, &b) != nil || b.Process == h.process {
				return
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.deliver(b.Hints)
		})
		if ctx.Err() == nil {
			h.log.WarnContext(ctx, "live updates from other processes are delayed", "error", err)
			pause(ctx, retryWait)
		}
	}
}

func (h *Hub) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.queued:
		}
		pause(ctx, interval)
		for _, raw := range h.take() {
			if err := h.sendOne(ctx, raw); err != nil && ctx.Err() == nil {
				h.log.WarnContext(ctx, "live updates to other processes are delayed", "error", err)
				pause(ctx, retryWait)
			}
		}
	}
}

func (h *Hub) sendOne(ctx context.Context, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := h.transport.Send(ctx, raw); err != nil {
		return fmt.Errorf("send hints: %w", err)
	}
	return nil
}

// take returns what is waiting as batches. A topic that changed several times is in them
// once.
func (h *Hub) take() [][]byte {
	h.mu.Lock()
	hints := h.waiting
	h.waiting = nil
	h.mu.Unlock()
	seen, distinct := map[uuid.UUID]bool{}, hints[:0]
	for _, hint := range hints {
		if hint.Signal == nil && seen[hint.Topic] {
			continue
		}
		seen[hint.Topic] = seen[hint.Topic] || hint.Signal == nil
		distinct = append(distinct, hint)
	}
	return encode(h.process, distinct, h.transport.MaxBatch())
}

// encode makes batches of at most this many bytes.
func encode(process string, hints []Hint, most int) [][]byte {
	if len(hints) == 0 {
		return nil
	}
	raw, err := json.Marshal(batch{Process: process, Hints: hints})
	switch {
	case err != nil || len(raw) > most && len(hints) == 1:
		return nil // a signal that is no JSON, or too long
	case len(raw) > most:
		half := len(hints) / 2
		return append(encode(process, hints[:half], most), encode(process, hints[half:], most)...)
	}
	return [][]byte{raw}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
