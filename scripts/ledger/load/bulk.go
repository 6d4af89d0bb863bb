//go:build linux

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/avelto/convo/scripts/ledger/check"
)

const (
	bulkClients = 3
	bulkPause   = 150 * time.Millisecond
	// groupTime is how long the clients change one group of conversations. It bounds the
	// length of its history.
	groupTime = 20 * time.Second
)

// Bulk has clients that change the same conversations at the same time.
type Bulk struct {
	Client *Client
	// Groups are the conversations, by their IDs.
	Groups [][check.GroupSize]string
	// Operators are the IDs of operators.
	Operators []string

	mu    sync.Mutex
	calls []check.BulkCall
}

// Run changes one group after the other until ctx ends.
func (b *Bulk) Run(ctx context.Context) {
	for i, group := range b.Groups {
		if ctx.Err() != nil {
			return
		}
		turn, cancel := context.WithTimeout(ctx, groupTime)
		var running sync.WaitGroup
		for client := range bulkClients {
			running.Go(func() {
				w := bulkWorker{Bulk: b, client: client, name: fmt.Sprintf("group-%d", i), group: group}
				for n := 0; wait(turn, bulkPause); n++ {
					w.step(turn, n)
				}
				w.readAll(turn)
			})
		}
		running.Wait()
		cancel()
	}
}

// bulkWorker is a client at a group.
type bulkWorker struct {
	*Bulk

	client int
	name   string
	group  [check.GroupSize]string
}

// step reads a conversation or changes some.
func (w bulkWorker) step(ctx context.Context, n int) {
	action := check.BulkAction(rand.IntN(int(check.BulkRead) + 1))
	if action == check.BulkRead {
		w.read(ctx, rand.IntN(check.GroupSize))
		return
	}
	call := check.BulkCall{Group: w.name, Action: action, Members: rand.Perm(check.GroupSize)[:1+rand.IntN(check.GroupSize)]}
	if action == check.BulkAssign {
		call.Operator = rand.IntN(len(w.Operators) + 1)
	}
	call.Span = check.Span{Client: w.client, From: time.Now()}
	of := &Change{ID: fmt.Sprintf("%s-%d-%d", w.name, w.client, n), Operation: "bulkUpdateConversations"}
	out, ok := w.Client.change(ctx, of, request{method: http.MethodPost, path: "/conversations/bulk", key: of.ID, body: w.body(call)})
	var result struct {
		Updated int `json:"updated"`
	}
	call.Unknown = !ok || json.Unmarshal(out.body, &result) != nil
	call.To, call.Updated = time.Now(), result.Updated
	of.Nothing = ok && result.Updated == 0
	w.add(call)
}

func (w bulkWorker) body(call check.BulkCall) string {
	ids := make([]string, len(call.Members))
	for i, member := range call.Members {
		ids[i] = strconv.Quote(w.group[member])
	}
	body := `"ids":[` + strings.Join(ids, ",") + `]`
	switch {
	case call.Action == check.BulkClose:
		return `{"action":"close",` + body + `}`
	case call.Action == check.BulkReopen:
		return `{"action":"reopen",` + body + `}`
	case call.Operator == 0:
		return `{"action":"assign","operatorId":null,` + body + `}`
	}
	return `{"action":"assign","operatorId":` + strconv.Quote(w.Operators[call.Operator-1]) + `,` + body + `}`
}

// read reads a conversation once. Without a response it says nothing.
func (w bulkWorker) read(ctx context.Context, member int) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	from := time.Now()
	out := w.Client.read(ctx, "/conversations/"+w.group[member])
	var row struct {
		Status             string  `json:"status"`
		AssignedOperatorID *string `json:"assignedOperatorId"`
	}
	if !out.ok() || json.Unmarshal(out.body, &row) != nil {
		return false
	}
	read := check.Conversation{Closed: row.Status == "CLOSED"}
	if row.AssignedOperatorID != nil {
		read.Operator = 1 + slices.Index(w.Operators, *row.AssignedOperatorID)
	}
	w.add(check.BulkCall{
		Span: check.Span{Client: w.client, From: from, To: time.Now()}, Group: w.name, Action: check.BulkRead, Members: []int{member}, Read: read,
	})
	return true
}

// readAll reads all conversations of the group, so that the history ends with them.
func (w bulkWorker) readAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	for member := range check.GroupSize {
		for !w.read(ctx, member) && wait(ctx, maxWait) {
		}
	}
}

func (b *Bulk) add(call check.BulkCall) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call)
}

// Calls returns the history. Call it when the clients have ended.
func (b *Bulk) Calls() []check.BulkCall { return b.calls }
