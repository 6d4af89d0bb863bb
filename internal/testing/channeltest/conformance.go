package channeltest

import (
	"flag"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
)

// update rewrites the files in testdata, and the table in docs/channels.md.
var update = flag.Bool("update", false, "rewrite the expected results of channel types")

// Type is a channel type to test, with its provider's simulator.
type Type struct {
	Provider  provider.Provider
	Simulator simulator.Simulator
	// Tamper changes the signature of a request; nil for a type without signatures.
	Tamper func(r *simulator.Request, change func(signature string) string)
	// Contact returns the external ID of a contact, a different one for each number.
	Contact func(number int) string
	// RetryAfter is how long simulator.Limited asks to wait; 0 if it does not say.
	RetryAfter time.Duration
	// Reasons say why rows do not apply to the type.
	Reasons map[Property]string
}

// Header is a Tamper for a signature in a header.
func Header(name string) func(r *simulator.Request, change func(string) string) {
	return func(r *simulator.Request, change func(string) string) {
		if changed := change(r.Header.Get(name)); changed != "" {
			r.Header.Set(name, changed)
		} else {
			r.Header.Del(name)
		}
	}
}

// Property is a row of the table.
type Property string

// Properties of what is received.
const (
	WrongSignature     Property = "Wrong signature"
	NoSignature        Property = "Missing signature"
	TruncatedSignature Property = "Truncated signature"
	ChangedBody        Property = "Body changed after it was signed"
	StaleTimestamp     Property = "Request signed an hour ago"
	Replay             Property = "Same request again"
	Duplicate          Property = "Same message in another request"
	Reordering         Property = "Messages in the wrong order"
	MalformedEntry     Property = "Batch with one malformed entry"
	Reports            Property = "Delivery reports, the latest first"
	Files              Property = "Received attachment"
	OptOut             Property = "Contact opts out"
)

// Properties of what is sent.
const (
	Text            Property = "Message to a contact"
	ServerError     Property = "5xx"
	RateLimit       Property = "429"
	Timeout         Property = "Timeout"
	ConnectionReset Property = "Connection reset"
	FalseSuccess    Property = "Success that cannot be read"
	Permanent       Property = "Permanent error"
	Unreachable     Property = "Contact unreachable"
	Window          Property = "Reply window closed"
	Revoked         Property = "Credentials revoked between two messages"
	KilledBefore    Property = "Killed before the call"
	KilledBetween   Property = "Killed between the call and the commit"
	KilledAfter     Property = "Killed after the commit"
	AtTheLimit      Property = "Emoji up to the limit"
	OverTheLimit    Property = "Emoji, one over the limit"
	SentFiles       Property = "Sent attachment"
	DeletedChannel  Property = "Channel deleted with a queued message"
)

// row is a property with its test, which returns the result to show.
type row struct {
	property Property
	test     func(r *run, t *testing.T) string
}

var rows = []row{
	{WrongSignature, rejected(flip)},
	{NoSignature, rejected(func(string) string { return "" })},
	{TruncatedSignature, rejected(func(signature string) string { return signature[:len(signature)/2] })},
	{ChangedBody, (*run).changedBody},
	{StaleTimestamp, (*run).staleTimestamp},
	{Replay, (*run).replay},
	{Duplicate, (*run).duplicate},
	{Reordering, (*run).reordering},
	{MalformedEntry, (*run).malformedEntry},
	{Reports, (*run).reports},
	{Files, (*run).files},
	{OptOut, (*run).optOut},
	{Text, (*run).text},
	{ServerError, retried(simulator.Overloaded)},
	{RateLimit, retried(simulator.Limited)},
	{Timeout, lost(simulator.Hang)},
	{ConnectionReset, lost(simulator.Reset)},
	{FalseSuccess, lost(simulator.Lie)},
	{Permanent, failed(simulator.Refuse, provider.Permanent)},
	{Unreachable, failed(simulator.OptedOut, provider.Blocked)},
	{Window, (*run).window},
	{Revoked, (*run).revoked},
	{KilledBefore, killed(dieBefore)},
	{KilledBetween, killed(dieAfter)},
	{KilledAfter, (*run).killedAfter},
	{AtTheLimit, (*run).atTheLimit},
	{OverTheLimit, (*run).overTheLimit},
	{SentFiles, (*run).sentFiles},
	{DeletedChannel, (*run).deletedChannel},
}

// Run tests a channel type against everything that can happen to its messages, and against
// the requests in testdata/incoming.json and testdata/outgoing.json. The results must be
// those in testdata/conformance.json, from which the table in docs/channels.md is made. The
// test of the package must call testdb.Main.
func Run(t *testing.T, start func(t *testing.T) Type) {
	t.Helper()
	kind := start(t)
	testFixtures(t, kind)
	world := newRun(t, kind)
	report := Report{Type: kind.Provider.Type(), Promise: promise(kind)}
	for _, one := range rows {
		if reason, ok := kind.Reasons[one.property]; ok {
			report.Rows = append(report.Rows, Result{Property: one.property, Reason: reason})
			continue
		}
		t.Run(strings.ReplaceAll(string(one.property), " ", "-"), func(t *testing.T) {
			report.Rows = append(report.Rows, Result{Property: one.property, Result: one.test(world, t)})
		})
	}
	if !filtered() && !t.Failed() {
		report.compare(t)
	}
}

// filtered reports whether only some of the rows run.
func filtered() bool {
	pattern := flag.Lookup("test.run")
	return pattern != nil && strings.Contains(pattern.Value.String(), "/")
}

// promise is how often a message is sent if everything that can go wrong does.
func promise(kind Type) string {
	if kind.Provider.Rules().Idempotent {
		return "Exactly once"
	}
	return "At most once"
}

// flip changes the last character of a signature, and nothing else.
func flip(signature string) string {
	last := byte('0')
	if strings.HasSuffix(signature, "0") {
		last = '1'
	}
	return signature[:len(signature)-1] + string(last)
}

// rejected is a row of requests whose signature is changed.
func rejected(change func(string) string) func(*run, *testing.T) string {
	return func(r *run, t *testing.T) string {
		t.Helper()
		on := r.connect(t)
		request := on.hook(t, on.message("Hello"))
		r.kind.Tamper(&request, change)
		require.Equal(t, http.StatusUnauthorized, on.post(t, request))
		require.Empty(t, on.texts(t))
		return "Rejected"
	}
}
