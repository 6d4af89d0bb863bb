//go:build linux

package load

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/avelto/convo/scripts/ledger/check"
)

// Journal records what clients sent and what they were told.
type Journal struct {
	mu         sync.Mutex
	phases     []*Phase
	changes    []*Change
	unexpected []string
}

// Change is a change that a client makes by one or more attempts. The ID of an attempt's
// request is that of the change with a suffix.
type Change struct {
	ID string
	// Operation is the operation's ID.
	Operation string
	// Keyed tells that the attempts have an Idempotency-Key, so that one takes effect.
	Keyed        bool
	Attempts     int
	Acknowledged bool
	// Nothing tells that nothing had to be changed.
	Nothing bool
}

// Phase is a part of the run with one kind of fault.
type Phase struct {
	Name       string
	Start, End time.Time
	// Acknowledged are the moments at which changes were acknowledged.
	Acknowledged []time.Time
	// Failed counts attempts that failed, by their status.
	Failed map[string]int
	// Recoveries are the times from the end of an outage to the next acknowledged change.
	Recoveries []time.Duration

	outage time.Time // the end of one that no change has followed
}

// Enter ends the current phase and begins another.
func (j *Journal) Enter(name string) *Phase {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := &Phase{Name: name, Start: time.Now(), Failed: map[string]int{}}
	j.end(p.Start)
	j.phases = append(j.phases, p)
	return p
}

// End ends the last phase.
func (j *Journal) End() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end(time.Now())
}

func (j *Journal) end(at time.Time) {
	if len(j.phases) > 0 && j.phases[len(j.phases)-1].End.IsZero() {
		j.phases[len(j.phases)-1].End = at
	}
}

// OutageEnded records that clients can be served again from now on.
func (j *Journal) OutageEnded() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.phases) > 0 {
		j.phases[len(j.phases)-1].outage = time.Now()
	}
}

// Recovered reports whether a change was acknowledged since the last outage.
func (j *Journal) Recovered() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.phases) > 0 && j.phases[len(j.phases)-1].outage.IsZero()
}

// begin records a change before its first attempt.
func (j *Journal) begin(c *Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes = append(j.changes, c)
}

// attempt records the outcome of an attempt.
func (j *Journal) attempt(c *Change, r reply) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Attempts++
	if len(j.phases) == 0 {
		return
	}
	now, p := time.Now(), j.phases[len(j.phases)-1]
	if !r.ok() {
		p.Failed[r.label()]++
		return
	}
	p.Acknowledged = append(p.Acknowledged, now)
	if !p.outage.IsZero() && r.sent.After(p.outage) {
		p.Recoveries = append(p.Recoveries, now.Sub(p.outage))
		p.outage = time.Time{}
	}
}

// failed records an attempt to read that failed.
func (j *Journal) failed(r reply) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.phases) > 0 {
		j.phases[len(j.phases)-1].Failed[r.label()]++
	}
}

// acknowledge records that a change took effect.
func (j *Journal) acknowledge(c *Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Acknowledged = true
}

// refuse records a response that a client must never receive.
func (j *Journal) refuse(c *Change, r reply) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unexpected = append(j.unexpected, fmt.Sprintf("%s %s: %d %s", c.Operation, c.ID, r.status, r.body))
}

// Unexpected returns responses that no fault explains.
func (j *Journal) Unexpected() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.unexpected)
}

// Phases returns all phases. Call it at the end.
func (j *Journal) Phases() []*Phase { return j.phases }

// Changes returns all changes. Call it at the end.
func (j *Journal) Changes() []*Change { return j.changes }

// LongestGap is the longest time without an acknowledged change.
func (p *Phase) LongestGap() time.Duration { return check.LongestGap(p.Start, p.End, p.Acknowledged) }

// Failures describes the attempts that failed.
func (p *Phase) Failures() string {
	var parts []string
	for _, label := range slices.Sorted(maps.Keys(p.Failed)) {
		parts = append(parts, fmt.Sprintf("%s × %d", label, p.Failed[label]))
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// label names an outcome that is not a success.
func (r reply) label() string {
	if r.status == 0 {
		return "no response"
	}
	return strconv.Itoa(r.status)
}
