package analytics_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/testing/seed"
)

// fact is something that analytics count.
type fact struct {
	at             time.Time
	agent, channel uuid.UUID
	status         api.ConversationStatus // of the conversation today; empty if the lead has none
	opened         bool
	moved          api.ConversationStatus
	lead           api.LeadStatus
	reply          *float64 // seconds
}

// key returns the group of a fact, empty if it belongs to no conversation.
func (f fact) key(by api.AnalyticsGroupBy) string {
	switch {
	case f.status == "":
		return ""
	case by == api.AnalyticsGroupByAgent:
		return f.agent.String()
	case by == api.AnalyticsGroupByChannel:
		return f.channel.String()
	}
	return string(f.status)
}

// tally computes the figures of the facts in a span that match, without SQL.
func tally(facts []fact, span analytics.Span, matches func(fact) bool) analytics.Figures {
	figures := analytics.Figures{Leads: map[api.LeadStatus]int64{}}
	var replies []float64
	for _, one := range facts {
		switch {
		case one.at.Before(span.From) || !one.at.Before(span.To) || !matches(one):
		case one.opened:
			figures.Opened++
		case one.moved == api.ConversationStatusCLOSED:
			figures.Closed++
		case one.moved == api.ConversationStatusHANDEDOFF:
			figures.HandedOff++
		case one.lead != "":
			figures.Leads[one.lead]++
		case one.reply != nil:
			replies = append(replies, *one.reply)
		}
	}
	if n := len(replies); n > 0 {
		slices.Sort(replies)
		median := (replies[(n-1)/2] + replies[n/2]) / 2
		figures.MedianReply = &median
	}
	return figures
}

// history inserts random conversations and leads at random moments, and returns the facts.
type history struct {
	*seed.World

	random           *rand.Rand
	space            uuid.UUID
	agents, channels []uuid.UUID
	facts            []fact
}

func newHistory(t *testing.T, w *seed.World, space uuid.UUID) *history {
	t.Helper()
	h := &history{World: w, space: space, random: rand.New(rand.NewPCG(5, 6))}
	for _, name := range []string{"Concierge", "Sales"} {
		agent := w.Agent(t, space, name)
		h.agents = append(h.agents, agent)
		h.channels = append(h.channels, w.Channel(t, space, agent, api.ChannelTypeWEBSITE))
	}
	return h
}

// moment returns a random moment in the span; one in four is a beginning of a day.
func (h *history) moment(span analytics.Span) time.Time {
	at := span.From.Add(time.Duration(h.random.Int64N(int64(span.To.Sub(span.From))))).Truncate(time.Millisecond)
	if h.random.IntN(4) == 0 {
		at = at.Truncate(24 * time.Hour)
	}
	return at
}

// idAt returns an ID with a given time.
func (h *history) idAt(at time.Time) uuid.UUID {
	made := id.Floor(at)
	random := uuid.New()
	copy(made[8:], random[8:])
	return made
}

func (h *history) conversation(t *testing.T, span analytics.Span) (uuid.UUID, fact) {
	t.Helper()
	at := h.moment(span)
	about := fact{
		agent: h.agents[h.random.IntN(2)], channel: h.channels[h.random.IntN(2)],
		status: []api.ConversationStatus{api.ConversationStatusOPEN, api.ConversationStatusHANDEDOFF, api.ConversationStatusCLOSED}[h.random.IntN(3)],
	}
	in := seed.Conversation{Agent: about.agent, Channel: about.channel, Status: about.status}
	note := func(at time.Time, change func(*fact)) {
		one := about
		one.at = at
		change(&one)
		h.facts = append(h.facts, one)
	}
	var moves []time.Time
	if h.random.IntN(2) == 0 {
		handedOff, seconds := h.moment(span), float64(h.random.IntN(100_000))/1000
		replied := handedOff.Add(time.Duration(seconds*1000) * time.Millisecond)
		in.HandedOff, in.Replied = &handedOff, &replied
		moves = append(moves, handedOff)
		note(handedOff, func(f *fact) { f.moved = api.ConversationStatusHANDEDOFF })
		note(replied, func(f *fact) { f.reply = &seconds })
	}
	made := h.Conversation(t, h.space, in)
	dated := h.idAt(at)
	h.Exec(t, "UPDATE conversations SET id = $1, created_at = $2 WHERE id = $3", dated, at, made)
	note(at, func(f *fact) { f.opened = true })
	const change = "INSERT INTO conversation_status_changes (workspace_id, conversation_id, to_status, changed_at) VALUES ($1, $2, $3, $4)"
	h.Exec(t, change, h.space, dated, "OPEN", at)
	for _, moved := range moves {
		h.Exec(t, change, h.space, dated, "HANDED_OFF", moved)
	}
	for range h.random.IntN(3) { // closed, reopened and closed again
		closed := h.moment(span)
		h.Exec(t, change, h.space, dated, "CLOSED", closed)
		note(closed, func(f *fact) { f.moved = api.ConversationStatusCLOSED })
	}
	return dated, about
}

func (h *history) lead(t *testing.T, span analytics.Span, conversation *uuid.UUID, about fact) {
	t.Helper()
	statuses := []api.LeadStatus{api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST}
	about.at, about.lead = h.moment(span), statuses[h.random.IntN(len(statuses))]
	h.Exec(t, "INSERT INTO leads (workspace_id, id, status, fields, conversation_id, created_at, updated_at) VALUES ($1, $2, $3, '{\"a\":\"b\"}', $4, $5, $5)",
		h.space, h.idAt(about.at), about.lead, conversation, about.at)
	h.facts = append(h.facts, about)
}

// fill inserts n conversations, leads for some of them, and leads without a conversation.
func (h *history) fill(t *testing.T, n int, span analytics.Span) {
	t.Helper()
	for range n {
		conversation, about := h.conversation(t, span)
		h.lead(t, span, &conversation, about)
		h.lead(t, span, nil, fact{})
	}
	h.Exec(t, "SELECT rebuild_analytics()")
}
