//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/scripts/ledger/check"
	"github.com/avelto/convo/scripts/ledger/load"
)

// event returns an event with a number, of a lead if it has a status.
func event(sequence int64, kind, lead, status string) load.Event {
	e := load.Event{ID: "event-" + string(rune('0'+sequence)), Type: kind, Sequence: sequence}
	e.Data.Lead.ID, e.Data.Lead.Status = lead, status
	return e
}

var (
	leads = []*load.Lead{
		{Name: "anna", ID: "1", Moves: []string{"WON", "LOST"}},
		{Name: "jan", ID: "2"},
		{Name: "ola", Unknown: true},
	}
	rows   = []keptLead{{"1", "anna", "LOST"}, {"2", "jan", "NEW"}}
	bulk   = []check.BulkCall{{Action: check.BulkClose, Updated: 1}, {Action: check.BulkRead}}
	events = []load.Event{
		event(1, "lead.created", "1", "NEW"), event(2, "lead.created", "2", "NEW"), event(3, "lead.status_changed", "1", "WON"),
		event(4, "conversation.closed", "", ""), event(5, "lead.status_changed", "1", "LOST"),
	}
)

func TestRowsAreComparedByNameIDAndStatus(t *testing.T) {
	t.Parallel()
	compare := func(rows ...keptLead) check.Tally { return check.Compare(rowSides(leads, rows)) }
	require.True(t, compare(rows...).OK())
	require.True(t, compare(append(slices.Clone(rows), keptLead{"3", "ola", "NEW"})...).OK(), "may or may not exist")
	require.Equal(t, []string{"jan 2 NEW"}, compare(rows[0]).Lost)
	require.Equal(t, []string{"anna 9 NEW"}, compare(append(slices.Clone(rows), keptLead{"9", "anna", "NEW"})...).Invented, "created twice")
	moved := compare(keptLead{"1", "anna", "WON"}, rows[1])
	require.Equal(t, []string{"anna 1 LOST"}, moved.Lost, "the last move is lost")
}

func TestEventsAreComparedInTheOrderOfEachLead(t *testing.T) {
	t.Parallel()
	compare := func(events []load.Event) check.Tally { return check.Compare(eventSides(leads, bulk, events)) }
	require.True(t, compare(events).OK())
	require.True(t, compare(append(slices.Clone(events), event(6, "lead.created", "3", "NEW"))).OK(), "of a lead that may exist")
	for i, one := range events {
		missing := compare(slices.Delete(slices.Clone(events), i, i+1))
		require.NotEmpty(t, missing.Lost, one.Type)
		repeated := compare(append(slices.Clone(events), one))
		require.NotEmpty(t, repeated.Invented, one.Type)
	}
	reordered := slices.Clone(events)
	reordered[2], reordered[4] = reordered[4], reordered[2]
	require.Len(t, compare(reordered).Lost, 2)
}

func TestBulkActionsOfUnknownOutcomeMayHaveEvents(t *testing.T) {
	t.Parallel()
	calls := append(slices.Clone(bulk), check.BulkCall{Action: check.BulkClose, Members: []int{0}, Unknown: true})
	closed := func(n int) (all []load.Event) {
		for i := range n {
			all = append(all, event(int64(i), "conversation.closed", "", ""))
		}
		return all
	}
	for n, ok := range map[int]bool{0: false, 1: true, 2: true, 3: false} {
		require.Equal(t, ok, check.Compare(eventSides(nil, calls, closed(n))).OK(), n)
	}
}

func TestEachEventIsDeliveredAndAgainOnlyIfItWasInFlight(t *testing.T) {
	t.Parallel()
	ids := []string{"event-1", "event-2", "event-3", "event-4", "event-5"}
	compare := func(accepted []string, again map[string]int) check.Tally {
		return check.Compare(deliverySides(append(slices.Clone(events), event(6, "webhook.ping", "", "")), accepted, again))
	}
	require.True(t, compare(ids, nil).OK())
	require.Equal(t, []string{"event-5"}, compare(ids[:4], nil).Lost)
	require.Equal(t, []string{"event-9"}, compare(append(slices.Clone(ids), "event-9"), nil).Invented, "of a change that was undone")
	require.Equal(t, []string{"event-1"}, compare(append(slices.Clone(ids), "event-1"), nil).Unexplained)
	require.True(t, compare(append(slices.Clone(ids), "event-1"), map[string]int{"event-1": 1}).OK())
}

func TestEachChangeIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	changes := []*load.Change{
		{ID: "a", Keyed: true, Attempts: 3, Acknowledged: true},
		{ID: "b", Attempts: 2, Acknowledged: true},
		{ID: "c", Keyed: true, Acknowledged: true, Nothing: true},
		{ID: "d", Keyed: true},
	}
	compare := func(requests string) check.Tally { return check.Compare(auditSides(changes, strings.Fields(requests))) }
	require.True(t, compare("a.1 b.0 b.1").OK())
	require.True(t, compare("a.1 b.0 c.0 d.2").OK())
	require.Equal(t, []string{"a"}, compare("b.0").Lost)
	require.Equal(t, []string{"a"}, compare("a.0 a.1 b.0").Unexplained, "a key has one effect")
	require.Equal(t, []string{"x"}, compare("a.0 b.0 x.0").Invented)
}

func TestTheReportFailsOnEachProblem(t *testing.T) {
	t.Parallel()
	require.Empty(t, (&findings{}).problems())
	lost := check.Tally{Lost: []string{"a"}}
	for name, f := range map[string]*findings{
		"rows": {rows: lost}, "events": {events: lost}, "deliveries": {deliveries: lost}, "audit": {audit: lost},
		"gaps": {gaps: []int64{1}}, "followed": {gapsFollowed: []int64{1}}, "rewritten": {rewritten: []int64{1}},
		"keys": {keys: check.Verdict{Violations: []string{"k"}}}, "bulk": {bulk: check.Verdict{Undecided: []string{"g"}}},
		"claims": {claims: check.Verdict{Violations: []string{"d"}}}, "pending": {pending: 1},
		"unexpected": {unexpected: []string{"418"}}, "faults": {faults: []string{"panic"}},
		"restart": {phases: []*load.Phase{{Name: phaseRestart, Failed: map[string]int{"503": 1}}}},
		"slow":    {phases: []*load.Phase{{Name: phaseCrash, Recoveries: []time.Duration{2 * recoveryGoal}}}},
	} {
		require.Len(t, f.problems(), 1, name)
	}
	require.Empty(t, (&findings{phases: []*load.Phase{{Name: phaseKill, Failed: map[string]int{"503": 1}}}}).problems(), "faults make attempts fail")
}
