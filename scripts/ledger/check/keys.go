package check

import "github.com/anishathalye/porcupine"

// KeyOutcome is the response to a request with an Idempotency-Key.
type KeyOutcome int

// The outcomes of a request. A response that says that the key is in use is none: it
// neither changes anything nor says what has been stored.
const (
	// KeyUnknown means that there was no response that says what happened.
	KeyUnknown KeyOutcome = iota
	// KeyFresh means that the request took effect.
	KeyFresh
	// KeyReplayed means that the response of an earlier request was replayed.
	KeyReplayed
	// KeyRefused means that the key belongs to a request with another body.
	KeyRefused
)

// KeyCall is a request with an Idempotency-Key. Requests with the same variant have the
// same body.
type KeyCall struct {
	Span

	Key      string
	Variant  int
	Outcome  KeyOutcome
	Response string
}

// keyState is what is stored for a key.
type keyState struct {
	stored   bool
	variant  int
	response string // empty if no one has seen it
}

// Keys checks that each key has one effect, and that all requests have its response.
func Keys(calls []KeyCall) Verdict {
	histories := map[string][]porcupine.Operation{}
	for _, call := range calls {
		histories[call.Key] = append(histories[call.Key], call.operation(call, nil, call.Outcome == KeyUnknown))
	}
	return verdict(porcupine.NondeterministicModel{
		Init: func() []any { return []any{keyState{}} },
		Step: func(state, input, _ any) []any {
			call, ok := input.(KeyCall)
			before, okState := state.(keyState)
			if !ok || !okState {
				return nil
			}
			return stepKey(before, call)
		},
	}, histories)
}

// stepKey returns the states that are possible after a request.
func stepKey(before keyState, call KeyCall) []any {
	mine := before.stored && before.variant == call.Variant
	switch call.Outcome {
	case KeyFresh:
		if !before.stored {
			return []any{keyState{stored: true, variant: call.Variant, response: call.Response}}
		}
	case KeyReplayed:
		if mine && (before.response == "" || before.response == call.Response) {
			return []any{keyState{stored: true, variant: call.Variant, response: call.Response}}
		}
	case KeyRefused:
		if before.stored && !mine {
			return []any{before}
		}
	case KeyUnknown:
		if before.stored {
			return []any{before}
		}
		return []any{before, keyState{stored: true, variant: call.Variant}}
	}
	return nil
}
