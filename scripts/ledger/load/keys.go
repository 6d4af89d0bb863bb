//go:build linux

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/avelto/convo/scripts/ledger/check"
)

const (
	// keyCallers is how many clients use a key at the same time.
	keyCallers = 3
	// otherBody is how often one of them sends another body.
	otherBody = 4
	keyPause  = 150 * time.Millisecond
)

// Keys has clients that use the same Idempotency-Key at the same time, on different
// replicas, for creating a lead.
type Keys struct {
	Client *Client

	mu    sync.Mutex
	calls []check.KeyCall
	leads []*Lead
}

// Run uses one key after the other until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	for n := 0; wait(ctx, keyPause); n++ {
		key := fmt.Sprintf("key-%d", n)
		change := &Change{ID: key, Operation: "createLead", Keyed: true}
		k.Client.Journal.begin(change)
		var callers sync.WaitGroup
		for caller := range keyCallers {
			variant := 0
			if n%otherBody == 0 && caller == 0 {
				variant = 1
			}
			callers.Go(func() { k.call(ctx, change, caller, variant) })
		}
		callers.Wait()
		k.settle(change)
	}
}

// call repeats a request until it has a response that says what happened.
func (k *Keys) call(ctx context.Context, of *Change, caller, variant int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	r := request{method: http.MethodPost, path: "/leads", key: of.ID, body: fmt.Sprintf(`{"fields":{"name":%q}}`, variantName(of.ID, variant))}
	for attempt := 0; ; attempt++ {
		out := k.Client.send(ctx, r, fmt.Sprintf("%s.%d-%d", of.ID, caller, attempt))
		call := check.KeyCall{Span: check.Span{Client: caller, From: out.sent, To: time.Now()}, Key: of.ID, Variant: variant}
		switch {
		case out.ok() && out.replayed:
			call.Outcome, call.Response = check.KeyReplayed, string(out.body)
		case out.ok():
			call.Outcome, call.Response = check.KeyFresh, string(out.body)
		case out.status == http.StatusUnprocessableEntity:
			call.Outcome = check.KeyRefused
		case !out.again():
			k.Client.Journal.refuse(of, out)
			return
		}
		if !out.inUse() {
			k.add(call)
		}
		if !out.inUse() && call.Outcome != check.KeyRefused {
			k.Client.Journal.attempt(of, out)
		}
		if call.Outcome != check.KeyUnknown || !wait(ctx, min(minWait<<min(attempt, 8), maxWait)) {
			return
		}
	}
}

func variantName(key string, variant int) string { return fmt.Sprintf("%s-v%d", key, variant) }

func (k *Keys) add(call check.KeyCall) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = append(k.calls, call)
}

// settle records the lead that a key has created.
func (k *Keys) settle(of *Change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	lead := &Lead{Unknown: true}
	for _, call := range k.calls {
		if call.Key != of.ID {
			continue
		}
		var created struct {
			ID string `json:"id"`
		}
		if call.Response != "" && json.Unmarshal([]byte(call.Response), &created) == nil {
			lead = &Lead{Name: variantName(of.ID, call.Variant), ID: created.ID}
			k.Client.Journal.acknowledge(of)
		}
	}
	if lead.Unknown {
		for variant := range 2 {
			k.leads = append(k.leads, &Lead{Name: variantName(of.ID, variant), Unknown: true})
		}
		return
	}
	k.leads = append(k.leads, lead)
}

// Calls and the leads that they have created. Call it when the clients have ended.
func (k *Keys) Calls() ([]check.KeyCall, []*Lead) { return k.calls, k.leads }
