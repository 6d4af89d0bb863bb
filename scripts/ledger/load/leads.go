//go:build linux

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// leadPause is the pause of a client after each change.
const leadPause = 80 * time.Millisecond

var stages = []string{"NEW", "QUALIFIED", "CONTACTED", "WON", "LOST"}

// Lead is a lead as its client knows it.
type Lead struct {
	Name, ID string
	// Moves are the statuses that it was given, in order.
	Moves []string
	// Unknown means that a change of the lead was never acknowledged.
	Unknown bool
}

// Leads has clients that create leads and move them between stages.
type Leads struct {
	Client *Client

	mu  sync.Mutex
	all []*Lead
}

// Run runs a number of clients until ctx ends.
func (l *Leads) Run(ctx context.Context, clients int) {
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			for n := 0; wait(ctx, leadPause); n++ {
				l.lead(ctx, fmt.Sprintf("lead-%d-%d", client, n))
			}
		})
	}
	running.Wait()
}

// lead creates a lead and moves it.
func (l *Leads) lead(ctx context.Context, name string) {
	const maxMoves = 3
	lead := &Lead{Name: name}
	l.mu.Lock()
	l.all = append(l.all, lead)
	l.mu.Unlock()
	out, ok := l.Client.change(ctx, &Change{ID: name, Operation: "createLead"}, request{
		method: http.MethodPost, path: "/leads", key: name, body: fmt.Sprintf(`{"fields":{"name":%q}}`, name),
	})
	var created struct {
		ID string `json:"id"`
	}
	if !ok || json.Unmarshal(out.body, &created) != nil {
		lead.Unknown = true
		return
	}
	lead.ID = created.ID
	last := stages[0]
	for n := range rand.IntN(maxMoves) {
		next := stages[rand.IntN(len(stages))]
		if next == last {
			continue
		}
		if !wait(ctx, leadPause) {
			return
		}
		of := &Change{ID: fmt.Sprintf("%s-move-%d", name, n), Operation: "updateLeadStatus"}
		_, ok := l.Client.change(ctx, of, request{method: http.MethodPatch, path: "/leads/" + lead.ID + "/status", body: fmt.Sprintf(`{"status":%q}`, next)})
		if !ok {
			lead.Unknown = true
			return
		}
		lead.Moves, last = append(lead.Moves, next), next
	}
}

// All returns the leads. Call it when the clients have ended.
func (l *Leads) All() []*Lead { return l.all }
