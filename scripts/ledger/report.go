//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/avelto/convo/scripts/ledger/check"
)

const (
	beginMark, endMark = "<!-- written by make ledger: begin -->", "<!-- written by make ledger: end -->"
	// recoveryGoal is the time from the end of an outage of the database to the next
	// acknowledged change.
	recoveryGoal = time.Second
	shownIDs     = 3
)

// markdown returns the tables of the report.
func (f *findings) markdown() string {
	var b strings.Builder
	b.WriteString("| Fault | Requests acknowledged | Attempts that failed | Longest gap | Longest time to the first 2xx after an outage |\n|---|---|---|---|---|\n")
	for _, p := range f.phases {
		recovery := ""
		if len(p.Recoveries) > 0 {
			recovery = seconds(slices.Max(p.Recoveries))
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", p.Name, len(p.Acknowledged), p.Failures(), seconds(p.LongestGap()), recovery)
	}
	b.WriteString("\n| Compared | Acknowledged | Found | Lost | Invented | Duplicates | Duplicates that no fault explains |\n|---|---|---|---|---|---|---|\n")
	for _, row := range f.tallies() {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d |\n", row.name, row.Acknowledged, row.Found, len(row.Lost), len(row.Invented), row.Duplicates, len(row.Unexplained))
	}
	fmt.Fprintf(&b, "\nDeliveries in flight at the faults: %d. Numbers of events missing, repeated or out of order: %d in the end, %d as read during the faults; changed after they were read: %d.\n",
		f.inFlight, len(f.gaps), len(f.gapsFollowed), len(f.rewritten))
	fmt.Fprintf(&b, "\nReplies to the provider that became `UNCONFIRMED` and were not sent again: %d.\n", f.unconfirmed)
	b.WriteString("\n| Linearizable | Histories | Operations | Violations | Undecided |\n|---|---|---|---|---|\n")
	for _, row := range f.verdicts() {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", row.name, row.Histories, row.Operations, len(row.Violations), len(row.Undecided))
	}
	fmt.Fprintf(&b, "\nThe run took %s.\n", f.took.Round(time.Second))
	return b.String()
}

type namedTally struct {
	check.Tally

	name string
}

func (f *findings) tallies() []namedTally {
	return []namedTally{
		{f.rows, "leads"},
		{f.events, "events"},
		{f.deliveries, "webhook deliveries"},
		{f.audit, "audit entries"},
		{f.heard, "messages of contacts"},
		{f.sent, "replies that the provider accepted"},
		{f.shown, "messages that visitors saw"},
		{f.told, "events of messages"},
	}
}

type namedVerdict struct {
	check.Verdict

	name string
}

func (f *findings) verdicts() []namedVerdict {
	return []namedVerdict{{f.keys, "idempotency keys"}, {f.bulk, "bulk actions"}, {f.claims, "claims of deliveries"}}
}

// problems returns what contradicts the goals.
func (f *findings) problems() (all []error) {
	for _, row := range f.tallies() {
		if !row.OK() {
			all = append(all, fmt.Errorf("%s: %d lost %v, %d invented %v, %d unexplained duplicates %v", row.name,
				len(row.Lost), some(row.Lost), len(row.Invented), some(row.Invented), len(row.Unexplained), some(row.Unexplained)))
		}
	}
	for _, row := range f.verdicts() {
		if !row.OK() {
			all = append(all, fmt.Errorf("%s: violations %v, undecided %v", row.name, some(row.Violations), some(row.Undecided)))
		}
	}
	if n := len(f.gaps) + len(f.gapsFollowed) + len(f.rewritten); n > 0 {
		all = append(all, fmt.Errorf("feed: gaps %v, gaps while followed %v, rewritten %v", some(f.gaps), some(f.gapsFollowed), some(f.rewritten)))
	}
	if f.queued > 0 {
		all = append(all, fmt.Errorf("%d messages were not sent", f.queued))
	}
	if f.pending > 0 {
		all = append(all, fmt.Errorf("%d deliveries did not succeed", f.pending))
	}
	for _, p := range f.phases {
		if len(p.Recoveries) > 0 && slices.Max(p.Recoveries) > recoveryGoal {
			all = append(all, fmt.Errorf("%s: the first change after an outage took %s", p.Name, slices.Max(p.Recoveries)))
		}
		if (p.Name == phaseRestart || p.Name == phaseNone) && len(p.Failed) > 0 {
			all = append(all, fmt.Errorf("%s: failed attempts: %s", p.Name, p.Failures()))
		}
	}
	for _, one := range some(f.unexpected) {
		all = append(all, errors.New("unexpected: "+one))
	}
	for _, line := range some(f.faults) {
		all = append(all, errors.New("logged a fault: "+line))
	}
	return all
}

func some[T any](all []T) []T { return all[:min(len(all), shownIDs)] }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// writeTable replaces the text between the marks in a document.
func writeTable(path, table string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	head, rest, found := strings.Cut(string(content), beginMark)
	_, tail, foundEnd := strings.Cut(rest, endMark)
	if !found || !foundEnd {
		return fmt.Errorf("%s lacks the marks for the table", path)
	}
	if err := os.WriteFile(path, []byte(head+beginMark+"\n\n"+table+"\n"+endMark+tail), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
