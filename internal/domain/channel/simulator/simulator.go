// Package simulator acts as the providers of channels, with the parts of their HTTP
// interfaces that a channel uses: limits, errors, signatures and reports. It serves those
// who try a channel without an account, and the tests of all channel types.
package simulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	api "github.com/avelto/convo/gen/api/model"
)

var (
	// ErrUnsupported means that a provider does not report events of a kind.
	ErrUnsupported = errors.New("simulator: the provider has no such report")
	// ErrContact means that a provider has no contacts with such an ID.
	ErrContact = errors.New("simulator: the provider has no such contact")
	// ErrNoHook means that no hook is known to report events to.
	ErrNoHook = errors.New("simulator: no hook is known")
)

// Simulator acts as a provider. It is safe for concurrent use.
type Simulator interface {
	http.Handler // the API of the provider

	// Type is the channel type of the provider.
	Type() api.ChannelType
	// Settings are those of a channel that the simulator accepts.
	Settings() Settings
	// Fail lets the next calls that send a message fail, one call each.
	Fail(faults ...Fault)
	// Accepted returns the messages that were accepted, in their order.
	Accepted() []Message
	// Hook returns the request that reports events to a channel's hook at a time. It fails
	// with ErrUnsupported or ErrContact.
	Hook(hook string, at time.Time, events ...Event) (Request, error)
	// Sign returns the request to a hook that has this body.
	Sign(hook string, at time.Time, body []byte) Request
}

// Settings are the config and the credentials of a channel.
type Settings struct {
	Config      json.RawMessage
	Credentials map[string]string
}

// Request is a request to a channel's hook.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
}

// Kind is a kind of event.
type Kind string

// Kinds of events. Garbled is an entry that cannot be read, among others that can.
const (
	Wrote     Kind = "wrote"
	Edited    Kind = "edited"
	Delivered Kind = "delivered"
	Read      Kind = "read"
	Failed    Kind = "failed"
	Blocked   Kind = "blocked"
	Unblocked Kind = "unblocked"
	Garbled   Kind = "garbled"
	// Interrupted is that a contact speaks while a message is spoken. The text is what of it
	// was heard.
	Interrupted Kind = "interrupted"
)

// Event is what a contact does, or what becomes of a message to the contact. ID is a number
// that is unique among the messages of contacts; for Delivered, Read and Failed it is the
// ID of the message that was accepted.
type Event struct {
	Kind    Kind
	ID      string
	From    string
	Name    string
	Text    string
	ReplyTo string
	File    *File
	At      time.Time
}

// File is a file of a message.
type File struct {
	ID          string
	Name        string
	ContentType string
	Content     []byte
}

// Message is a message that was accepted. Key is the idempotency key of a provider that has
// one. Reported is Delivered, Read or Failed once that was reported to the channel.
type Message struct {
	ID      string
	To      string
	Text    string
	ReplyTo string
	Thread  string
	Key     string
	// Template is the name of the template that it is; empty for an ordinary message.
	Template string
	Files    []File
	At       time.Time

	Reported Kind
}

// Fault is how a call that sends a message fails.
type Fault string

// Faults. Where the response is lost, the message was accepted.
const (
	Overloaded   Fault = "overloaded"    // a 5xx of the provider
	Limited      Fault = "limited"       // too many messages
	Hang         Fault = "hang"          // accepted, no response
	Reset        Fault = "reset"         // accepted, the connection breaks
	Lie          Fault = "lie"           // accepted, the response is cut off
	Refuse       Fault = "refuse"        // the provider never accepts this message
	WindowClosed Fault = "window closed" // the contact has not written for too long; templates are accepted
	Revoked      Fault = "revoked"       // the credentials are no longer valid
	OptedOut     Fault = "opted out"     // the contact has blocked the channel

	// Faults of connections. They concern the ones that are open.
	Reconnect      Fault = "reconnect"       // the provider asks to connect again
	InvalidSession Fault = "invalid session" // the provider has forgotten the session
)
