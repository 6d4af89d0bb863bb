package check

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// ClaimAction is what a worker does with a delivery.
type ClaimAction int

// The actions of a worker.
const (
	// ClaimTake leases a delivery.
	ClaimTake ClaimAction = iota
	// ClaimComplete records that the delivery succeeded.
	ClaimComplete
	// ClaimReturn ends the lease without an attempt.
	ClaimReturn
)

// ClaimCall is a call of a worker that succeeded. One that failed may have leased the
// delivery or completed it: neither lets another worker do more than before, so such calls
// need not be part of the history.
type ClaimCall struct {
	Span

	Delivery string
	Action   ClaimAction
	// Now is the worker's time, and Until the end of the lease that it took.
	Now, Until time.Time
}

// claimState is a delivery.
type claimState struct {
	leasedUntil int64
	completed   bool
}

// Claims checks that a delivery has one owner at a time, and none once it is completed.
func Claims(calls []ClaimCall) Verdict {
	histories := map[string][]porcupine.Operation{}
	for _, call := range calls {
		histories[call.Delivery] = append(histories[call.Delivery], call.operation(call, nil, false))
	}
	return verdict(porcupine.NondeterministicModel{
		Init: func() []any { return []any{claimState{}} },
		Step: func(state, input, _ any) []any {
			call, ok := input.(ClaimCall)
			before, okState := state.(claimState)
			if !ok || !okState {
				return nil
			}
			return stepClaim(before, call)
		},
	}, histories)
}

func stepClaim(before claimState, call ClaimCall) []any {
	switch call.Action {
	case ClaimTake:
		if before.completed || before.leasedUntil > call.Now.UnixMilli() {
			return nil
		}
		return []any{claimState{leasedUntil: call.Until.UnixMilli()}}
	case ClaimComplete:
		return []any{claimState{completed: true}}
	case ClaimReturn:
		return []any{claimState{completed: before.completed}}
	}
	return nil
}
