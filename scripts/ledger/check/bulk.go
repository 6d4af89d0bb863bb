package check

import "github.com/anishathalye/porcupine"

// GroupSize is the number of conversations in a group.
const GroupSize = 3

// BulkAction is what a call does with conversations.
type BulkAction int

// The actions. A read returns one conversation.
const (
	BulkClose BulkAction = iota
	BulkReopen
	BulkAssign
	BulkRead
)

// Conversation is a conversation of a group: two registers. It is open and unassigned at
// first.
type Conversation struct {
	Closed   bool
	Operator int // 0 for none
}

// BulkCall is a bulk action on members of a group of conversations, or a read of one.
type BulkCall struct {
	Span

	Group   string
	Action  BulkAction
	Members []int // indexes into the group
	// Operator is whom to assign to.
	Operator int
	// Unknown means that there was no response.
	Unknown bool
	// Updated is how many the response says have changed.
	Updated int
	// Read is the conversation that was returned.
	Read Conversation
}

// Bulk checks that bulk actions are atomic, take effect once and are seen by later reads.
func Bulk(calls []BulkCall) Verdict {
	histories := map[string][]porcupine.Operation{}
	for _, call := range calls {
		histories[call.Group] = append(histories[call.Group], call.operation(call, nil, call.Unknown))
	}
	return verdict(porcupine.NondeterministicModel{
		Init: func() []any { return []any{[GroupSize]Conversation{}} },
		Step: func(state, input, _ any) []any {
			call, ok := input.(BulkCall)
			group, okState := state.([GroupSize]Conversation)
			if !ok || !okState {
				return nil
			}
			return stepBulk(group, call)
		},
	}, histories)
}

// stepBulk returns the states that are possible after a call.
func stepBulk(group [GroupSize]Conversation, call BulkCall) []any {
	if call.Action == BulkRead {
		if call.Unknown || group[call.Members[0]] == call.Read {
			return []any{group}
		}
		return nil
	}
	after, updated := group, 0
	for _, i := range call.Members {
		switch call.Action {
		case BulkClose:
			after[i].Closed = true
		case BulkReopen:
			after[i].Closed = false
		case BulkAssign:
			after[i].Operator = call.Operator
		case BulkRead:
		}
		if after[i] != group[i] {
			updated++
		}
	}
	switch {
	case call.Unknown:
		return []any{group, after}
	case updated == call.Updated:
		return []any{after}
	}
	return nil
}
