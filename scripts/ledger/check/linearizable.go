package check

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTimeout bounds the search for an order of one history.
const checkTimeout = 30 * time.Second

// Span is when a client called an operation, and when it had the result.
type Span struct {
	Client   int
	From, To time.Time
}

// Verdict says which histories can be explained by an order of their operations, one at a
// time, that agrees with the order in which clients saw them.
type Verdict struct {
	Histories, Operations int
	// Violations are the histories that no order explains.
	Violations []string
	// Undecided are those for which none was found in time.
	Undecided []string
}

// OK reports whether every history is explained.
func (v Verdict) OK() bool { return len(v.Violations)+len(v.Undecided) == 0 }

// operation returns an operation. One of unknown outcome may take effect at any later time.
func (s Span) operation(input, output any, unknown bool) porcupine.Operation {
	op := porcupine.Operation{ClientId: s.Client, Input: input, Output: output, Call: s.From.UnixNano(), Return: s.To.UnixNano()}
	if unknown {
		op.Return = math.MaxInt64
	}
	return op
}

// verdict checks histories by name.
func verdict(model porcupine.NondeterministicModel, histories map[string][]porcupine.Operation) Verdict {
	v := Verdict{Histories: len(histories)}
	deterministic := model.ToModel()
	for _, name := range slices.Sorted(maps.Keys(histories)) {
		v.Operations += len(histories[name])
		switch porcupine.CheckOperationsTimeout(deterministic, histories[name], checkTimeout) {
		case porcupine.Ok:
		case porcupine.Illegal:
			v.Violations = append(v.Violations, name)
		case porcupine.Unknown:
			v.Undecided = append(v.Undecided, name)
		}
	}
	return v
}
