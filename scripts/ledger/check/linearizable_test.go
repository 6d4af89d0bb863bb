package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/scripts/ledger/check"
)

var epoch = time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)

func moment(milliseconds int) time.Time {
	return epoch.Add(time.Duration(milliseconds) * time.Millisecond)
}

// span is a call of a client, in milliseconds.
func span(client, from, to int) check.Span {
	return check.Span{Client: client, From: moment(from), To: moment(to)}
}

func TestKeysFindsASecondEffect(t *testing.T) {
	t.Parallel()
	call := func(s check.Span, variant int, outcome check.KeyOutcome, response string) check.KeyCall {
		return check.KeyCall{Span: s, Key: "key", Variant: variant, Outcome: outcome, Response: response}
	}
	one, two, three := span(0, 0, 10), span(1, 20, 30), span(2, 40, 50)
	for name, history := range map[string]struct {
		calls []check.KeyCall
		ok    bool
	}{
		"one effect, replayed":           {[]check.KeyCall{call(one, 0, check.KeyFresh, "a"), call(two, 0, check.KeyReplayed, "a"), call(three, 1, check.KeyRefused, "")}, true},
		"replayed after a lost response": {[]check.KeyCall{call(one, 0, check.KeyUnknown, ""), call(two, 0, check.KeyReplayed, "a"), call(three, 0, check.KeyReplayed, "a")}, true},
		"effect after a lost request":    {[]check.KeyCall{call(one, 0, check.KeyUnknown, ""), call(two, 0, check.KeyFresh, "a")}, true},
		"late effect of a lost request":  {[]check.KeyCall{call(one, 0, check.KeyUnknown, ""), call(two, 1, check.KeyUnknown, ""), call(three, 1, check.KeyReplayed, "a")}, true},
		"concurrent, either order":       {[]check.KeyCall{call(span(0, 0, 50), 0, check.KeyReplayed, "a"), call(span(1, 0, 20), 0, check.KeyFresh, "a")}, true},
		"two effects":                    {[]check.KeyCall{call(one, 0, check.KeyFresh, "a"), call(two, 0, check.KeyFresh, "b")}, false},
		"another response":               {[]check.KeyCall{call(one, 0, check.KeyFresh, "a"), call(two, 0, check.KeyReplayed, "b")}, false},
		"two responses replayed":         {[]check.KeyCall{call(one, 0, check.KeyUnknown, ""), call(two, 0, check.KeyReplayed, "a"), call(three, 0, check.KeyReplayed, "b")}, false},
		"replayed before any effect":     {[]check.KeyCall{call(one, 0, check.KeyReplayed, "a"), call(two, 0, check.KeyFresh, "a")}, false},
		"effect of another body":         {[]check.KeyCall{call(one, 0, check.KeyFresh, "a"), call(two, 1, check.KeyReplayed, "a")}, false},
		"refused without an effect":      {[]check.KeyCall{call(one, 0, check.KeyRefused, "")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdict := check.Keys(history.calls)
			require.Equal(t, history.ok, verdict.OK())
			require.Equal(t, len(history.calls), verdict.Operations)
			if !history.ok {
				require.Equal(t, []string{"key"}, verdict.Violations)
			}
		})
	}
}

func TestKeysAreIndependent(t *testing.T) {
	t.Parallel()
	verdict := check.Keys([]check.KeyCall{
		{Span: span(0, 0, 10), Key: "a", Outcome: check.KeyFresh, Response: "1"},
		{Span: span(0, 20, 30), Key: "b", Outcome: check.KeyFresh, Response: "2"},
	})
	require.True(t, verdict.OK())
	require.Equal(t, 2, verdict.Histories)
}

func TestBulkFindsLostRepeatedAndTornActions(t *testing.T) {
	t.Parallel()
	act := func(s check.Span, action check.BulkAction, updated int, members ...int) check.BulkCall {
		return check.BulkCall{Span: s, Group: "g", Action: action, Members: members, Updated: updated, Operator: 1}
	}
	read := func(s check.Span, member int, conversation check.Conversation) check.BulkCall {
		return check.BulkCall{Span: s, Group: "g", Action: check.BulkRead, Members: []int{member}, Read: conversation}
	}
	lost := func(call check.BulkCall) check.BulkCall {
		call.Unknown = true
		return call
	}
	closed, assigned := check.Conversation{Closed: true}, check.Conversation{Operator: 1}
	one, two, three, all := span(0, 0, 10), span(1, 20, 30), span(2, 40, 50), span(3, 0, 100)
	for name, history := range map[string]struct {
		calls []check.BulkCall
		ok    bool
	}{
		"close, read, reopen":         {[]check.BulkCall{act(one, check.BulkClose, 2, 0, 1), read(two, 1, closed), act(three, check.BulkReopen, 2, 0, 1, 2)}, true},
		"assign, read":                {[]check.BulkCall{act(one, check.BulkAssign, 1, 2), read(two, 2, assigned), act(three, check.BulkAssign, 0, 2)}, true},
		"a read during the action":    {[]check.BulkCall{act(all, check.BulkClose, 1, 0), read(one, 0, check.Conversation{}), read(two, 0, closed)}, true},
		"an unknown action with it":   {[]check.BulkCall{lost(act(one, check.BulkClose, 0, 0)), read(two, 0, closed)}, true},
		"an unknown action without":   {[]check.BulkCall{lost(act(one, check.BulkClose, 0, 0)), read(two, 0, check.Conversation{})}, true},
		"a lost action":               {[]check.BulkCall{act(one, check.BulkClose, 1, 0), read(two, 0, check.Conversation{})}, false},
		"an action that ran twice":    {[]check.BulkCall{act(one, check.BulkClose, 1, 0), act(two, check.BulkClose, 1, 0)}, false},
		"a first run that was hidden": {[]check.BulkCall{act(one, check.BulkClose, 0, 0)}, false},
		"a torn action":               {[]check.BulkCall{act(all, check.BulkClose, 2, 0, 1), read(one, 0, closed), read(two, 1, check.Conversation{})}, false},
		"a read that goes back":       {[]check.BulkCall{act(all, check.BulkClose, 1, 0), read(one, 0, closed), read(two, 0, check.Conversation{})}, false},
		"an undone assignment":        {[]check.BulkCall{act(one, check.BulkAssign, 1, 0), act(two, check.BulkClose, 1, 0), read(three, 0, closed)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, history.ok, check.Bulk(history.calls).OK())
		})
	}
}

func TestClaimsFindsASecondOwner(t *testing.T) {
	t.Parallel()
	take := func(client, now, until int) check.ClaimCall {
		return check.ClaimCall{Span: span(client, now, now+5), Delivery: "d", Action: check.ClaimTake, Now: moment(now), Until: moment(until)}
	}
	end := func(client, at int, action check.ClaimAction) check.ClaimCall {
		return check.ClaimCall{Span: span(client, at, at+5), Delivery: "d", Action: action}
	}
	for name, history := range map[string]struct {
		calls []check.ClaimCall
		ok    bool
	}{
		"taken and completed":        {[]check.ClaimCall{take(0, 0, 100), end(0, 50, check.ClaimComplete)}, true},
		"taken after the lease":      {[]check.ClaimCall{take(0, 0, 100), take(1, 100, 200), end(1, 150, check.ClaimComplete)}, true},
		"taken after a return":       {[]check.ClaimCall{take(0, 0, 100), end(0, 20, check.ClaimReturn), take(1, 30, 130)}, true},
		"completed after the lease":  {[]check.ClaimCall{take(0, 0, 100), take(1, 110, 200), end(0, 120, check.ClaimComplete), end(1, 130, check.ClaimComplete)}, true},
		"taken during a lease":       {[]check.ClaimCall{take(0, 0, 100), take(1, 50, 150)}, false},
		"taken at the same time":     {[]check.ClaimCall{take(0, 0, 100), take(1, 2, 102)}, false},
		"taken after its completion": {[]check.ClaimCall{take(0, 0, 100), end(0, 20, check.ClaimComplete), take(1, 200, 300)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, history.ok, check.Claims(history.calls).OK())
		})
	}
}
