// Package failpoint lets tests kill the process at a named point of the program, to test
// recovery. It does nothing in a program built without the tag failpoint.
package failpoint

// Variable is the environment variable that names the point at which a program built
// with the tag failpoint kills itself.
const Variable = "CONVO_FAILPOINT"

// Points in the processing of a request with an Idempotency-Key.
const (
	// KeyReserved: the key is leased, nothing has been done.
	KeyReserved = "key-reserved"
	// ChangeMade: inside the transaction, after the change, before its response is stored.
	ChangeMade = "change-made"
	// ResponseStored: inside the transaction, before the commit.
	ResponseStored = "response-stored"
	// Committed: after the commit, before the response is sent.
	Committed = "committed"
	// EffectDone: an effect outside the database happened, its response is not stored.
	EffectDone = "effect-done"
	// OutcomeStored: the response to such an effect is stored, but not sent.
	OutcomeStored = "outcome-stored"
)

// Points on the way of a message.
const (
	// MessageReceived: inside the transaction that stores what a channel has received.
	MessageReceived = "message-received"
	// MessageStored: after its commit, before the provider gets its response.
	MessageStored = "message-stored"
	// MessageMarked: a message is marked as being sent, the provider was not called.
	MessageMarked = "message-marked"
	// MessageSent: the provider has accepted it, nothing is recorded.
	MessageSent = "message-sent"
	// OutcomeRecorded: inside the transaction that records the outcome.
	OutcomeRecorded = "outcome-recorded"
)

// Points in the run of an agent.
const (
	// RunClaimed: a run is leased, nothing has been done.
	RunClaimed = "run-claimed"
	// RunReplied: the model has replied, nothing is stored.
	RunReplied = "run-replied"
	// RunStored: inside the transaction that stores the reply and ends the run.
	RunStored = "run-stored"
	// RunEnded: after its commit.
	RunEnded = "run-ended"
)
