// Package wake tells workers that there is work for them, so that they find it immediately
// and need not poll. A wake-up can be lost, so workers also poll now and then.
package wake

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/avelto/convo/internal/platform/postgres"
)

// Topic is a kind of work.
type Topic string

const (
	// Events have been committed that have no number yet.
	Events Topic = "events"
	// Deliveries to webhooks are due.
	Deliveries Topic = "deliveries"
	// Knowledge has jobs that wait for a worker.
	Knowledge Topic = "knowledge"
	// Messages wait to be sent through their channels.
	Messages Topic = "messages"
	// Attachments wait to be fetched from the providers of channels.
	Attachments Topic = "attachments"
	// AgentRuns wait for a process that replies.
	AgentRuns Topic = "agent runs"
	// Evaluations of agents wait for their turn.
	Evaluations Topic = "evaluations"
)

const (
	// channel is where processes notify each other. The payload is a topic.
	channel = "convo_wake"
	// interval is the time between two notifications, in which topics collect.
	interval = 10 * time.Millisecond
	timeout  = 5 * time.Second
)

// Bell wakes the workers that listen for a topic. If there are none in this process, it
// notifies other processes. A nil Bell wakes no one.
type Bell struct {
	outgoing Signal // there are topics to notify other processes of

	mu        sync.Mutex
	listeners map[Topic][]Signal
	topics    map[Topic]bool // to notify other processes of
}

// NewBell returns a bell without listeners.
func NewBell() *Bell {
	return &Bell{outgoing: NewSignal(), listeners: map[Topic][]Signal{}, topics: map[Topic]bool{}}
}

// Listen sends a signal after each ring of a topic.
func (b *Bell) Listen(topic Topic, signal Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners[topic] = append(b.listeners[topic], signal)
}

// Ring rings once what on has done is committed (see postgres.AfterCommit). It does not
// wait for the workers.
func (b *Bell) Ring(on postgres.Conn, topic Topic) {
	if b != nil {
		postgres.AfterCommit(on, func() { b.RingNow(topic) })
	}
}

// RingNow is Ring for what has been committed before.
func (b *Bell) RingNow(topic Topic) {
	if b == nil {
		return
	}
	if b.wake(topic) {
		return
	}
	b.mu.Lock()
	b.topics[topic] = true
	b.mu.Unlock()
	b.outgoing.Send()
}

// wake wakes the listeners in this process, and reports whether there are any.
func (b *Bell) wake(topic Topic) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, listener := range b.listeners[topic] {
		listener.Send()
	}
	return len(b.listeners[topic]) > 0
}

// Notify tells other processes what was rung without listeners, at most every 10 ms, until
// ctx ends. What cannot be told is found when they poll.
func (b *Bell) Notify(ctx context.Context, on *postgres.DB, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.outgoing:
		}
		if err := b.notify(ctx, on); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "workers of other processes not notified", "error", err)
		}
		Sleep(ctx, interval)
	}
}

func (b *Bell) notify(ctx context.Context, on *postgres.DB) error {
	b.mu.Lock()
	topics := make([]string, 0, len(b.topics))
	for topic := range b.topics {
		topics = append(topics, string(topic))
	}
	clear(b.topics)
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := on.Exec(ctx, "SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic", channel, topics); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// Channel is where this process hears the others. When it begins to listen, it rings all
// topics, since earlier notifications are lost.
func (b *Bell) Channel() postgres.Channel {
	return postgres.Channel{
		Name: channel,
		Up: func() {
			for _, topic := range []Topic{Events, Deliveries, Knowledge, Messages, Attachments, AgentRuns, Evaluations} {
				b.wake(topic)
			}
		},
		Notice: func(payload string) { b.wake(Topic(payload)) },
	}
}
