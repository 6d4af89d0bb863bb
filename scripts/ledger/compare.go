//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/avelto/convo/scripts/ledger/check"
	"github.com/avelto/convo/scripts/ledger/load"
)

// findings are the results of a run.
type findings struct {
	phases                          []*load.Phase
	rows, events, deliveries, audit check.Tally
	// heard are messages of contacts, sent those to the provider, shown those that visitors
	// have seen, and told the events of all.
	heard, sent, shown, told check.Tally
	// unconfirmed counts messages to the provider that were not sent again, since they may
	// have been sent; queued those that were not sent.
	unconfirmed, queued int
	// gaps are missing, repeated and reordered numbers of the feed in the end, and as it was
	// followed during the faults. rewritten are numbers whose event has changed.
	gaps, gapsFollowed, rewritten []int64
	keys, bulk, claims            check.Verdict
	// inFlight counts the deliveries in flight at all faults.
	inFlight, pending int
	unexpected        []string
	faults            []string // that processes have logged
	took              time.Duration
}

// compare compares what clients and the receiver know with what is kept.
func (l *ledger) compare(k *kept, took time.Duration) (*findings, error) {
	keyCalls, keyLeads := l.keys.Calls()
	leads := append(slices.Clone(l.leads.All()), keyLeads...)
	accepted, again, problems := l.receiver.Deliveries()
	f := &findings{
		phases: l.journal.Phases(), took: took, pending: k.pending,
		rows:         check.Compare(rowSides(leads, k.leads)),
		events:       check.Compare(eventSides(leads, l.bulk.Calls(), k.events)),
		deliveries:   check.Compare(deliverySides(k.events, accepted, again)),
		audit:        check.Compare(auditSides(l.journal.Changes(), k.audit)),
		gaps:         check.Gaps(load.Numbered(k.events)),
		gapsFollowed: check.Gaps(load.Numbered(l.follower.Events())),
		rewritten:    check.Rewritten(load.Numbered(l.follower.Events()), load.Numbered(k.events)),
		keys:         check.Keys(keyCalls),
		bulk:         check.Bulk(l.bulk.Calls()),
		claims:       check.Claims(l.claims.Calls()),
		unexpected:   append(l.journal.Unexpected(), problems...),
	}
	for _, n := range again {
		f.inFlight += n
	}
	f.compareMessages(l, k)
	var err error
	f.faults, err = l.system.Faults()
	return f, err
}

// rowSides compares the ID, the name and the status of each lead.
func rowSides(leads []*load.Lead, rows []keptLead) check.Sides {
	sides, unknown := check.Sides{Unknown: map[string]bool{}}, map[string]bool{}
	for _, lead := range leads {
		if lead.Unknown {
			unknown[lead.Name] = true
			continue
		}
		status := "NEW"
		if len(lead.Moves) > 0 {
			status = lead.Moves[len(lead.Moves)-1]
		}
		sides.Acknowledged = append(sides.Acknowledged, lead.Name+" "+lead.ID+" "+status)
	}
	for _, row := range rows {
		found := row.Name + " " + row.ID + " " + row.Status
		sides.Found = append(sides.Found, found)
		if unknown[row.Name] {
			sides.Unknown[found] = true
		}
	}
	return sides
}

// eventSides compares the events of each lead in their order, and how many there are of
// each change of conversations.
func eventSides(leads []*load.Lead, calls []check.BulkCall, events []load.Event) check.Sides {
	sides := check.Sides{Unknown: map[string]bool{}}
	known := map[string]bool{}
	for _, lead := range leads {
		if lead.Unknown {
			continue
		}
		known[lead.ID] = true
		for i, status := range append([]string{"NEW"}, lead.Moves...) {
			sides.Acknowledged = append(sides.Acknowledged, leadEvent(lead.ID, i, status))
		}
	}
	numbers := map[string]int{} // of events, by lead or type
	next := func(of string) int {
		numbers[of]++
		return numbers[of] - 1
	}
	for _, call := range calls {
		for range call.Updated {
			kind := bulkEvents[call.Action]
			sides.Acknowledged = append(sides.Acknowledged, fmt.Sprintf("%s %d", kind, next(kind)))
		}
	}
	allowUnknown(sides, calls, numbers)
	clear(numbers)
	for _, event := range events {
		if !slices.Contains(load.EventTypes, event.Type) {
			continue // of messages: see compareMessages
		}
		var found string
		if id := event.Data.Lead.ID; id != "" {
			found = leadEvent(id, next(id), event.Data.Lead.Status)
			sides.Unknown[found] = !known[id] // rows show whether the lead may exist
		} else {
			found = fmt.Sprintf("%s %d", event.Type, next(event.Type))
		}
		sides.Found = append(sides.Found, found)
	}
	return sides
}

var bulkEvents = map[check.BulkAction]string{
	check.BulkClose: "conversation.closed", check.BulkReopen: "conversation.reopened", check.BulkAssign: "conversation.assigned",
}

func leadEvent(id string, n int, status string) string {
	return fmt.Sprintf("lead %s %d %s", id, n, status)
}

// allowUnknown allows the events of bulk actions whose outcome is unknown.
func allowUnknown(sides check.Sides, calls []check.BulkCall, numbers map[string]int) {
	for _, call := range calls {
		if call.Unknown {
			kind := bulkEvents[call.Action]
			for range call.Members {
				sides.Unknown[fmt.Sprintf("%s %d", kind, numbers[kind])] = true
				numbers[kind]++
			}
		}
	}
}

// deliverySides compares the events with what the receiver has accepted.
func deliverySides(events []load.Event, accepted []string, again map[string]int) check.Sides {
	sides := check.Sides{Found: accepted, Again: again}
	for _, event := range events {
		if slices.Contains(load.EventTypes, event.Type) {
			sides.Acknowledged = append(sides.Acknowledged, event.ID)
		}
	}
	return sides
}

// auditSides compares the changes with the requests in the audit log.
func auditSides(changes []*load.Change, requests []string) check.Sides {
	sides := check.Sides{Unknown: map[string]bool{}, Again: map[string]int{}}
	for _, change := range changes {
		if !change.Acknowledged || change.Nothing {
			sides.Unknown[change.ID] = true
		} else {
			sides.Acknowledged = append(sides.Acknowledged, change.ID)
		}
		if !change.Keyed { // an attempt without a key is recorded again
			sides.Again[change.ID] = change.Attempts - 1
		}
	}
	for _, request := range requests {
		id, _, _ := strings.Cut(request, ".")
		sides.Found = append(sides.Found, id)
	}
	return sides
}
