package provider

import "time"

// Conversing is a Provider that opens a WebSocket to talk with a contact, such as a call that
// is transcribed and spoken to.
type Conversing interface {
	// Converse verifies the request that opens the connection. It fails with
	// ErrUnauthenticated.
	Converse(channel Channel, request Request) (Session, error)
}

// Session is one connection of a Conversing provider. Its methods are called one at a time.
type Session interface {
	// Receive returns what a frame reports. It fails with ErrMalformed.
	Receive(at time.Time, frame []byte) ([]Item, error)
	// Thread is that of the conversation; "" until a frame has named it.
	Thread() string
	// Say returns the frame that sends a message, and the ID of the message there. It fails
	// with *SendError.
	Say(message Outbound) (frame []byte, externalID string, err error)
	// End returns the frame that asks the provider to end the connection.
	End(why Ending) []byte
}

// Ending is why a connection is ended from this side.
type Ending string

// Endings. After Restart, the provider connects again; after Quiet, the conversation is over.
const (
	Restart Ending = "restart"
	Quiet   Ending = "quiet"
)
