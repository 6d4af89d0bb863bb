// Package provider defines what the engine expects of a channel type: how to read what its
// provider sends, and how to send a message through it. Nothing outside the packages of the
// types knows a provider's wire format.
package provider

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
)

// Provider is one channel type. Implementations are safe for concurrent use and keep no
// state of a channel.
type Provider interface {
	// Type is the channel type.
	Type() api.ChannelType
	// Rules are the limits and promises of the type.
	Rules() Rules
	// Validate checks the settings of a channel: its config and credentials. It returns
	// one Invalid for each setting that is missing or malformed.
	Validate(channel Channel) []Invalid
	// Addresses are the settings in the config that say where credentials are sent. They can't
	// be changed without these credentials, so that no one has them sent to another server.
	// APIBaseURL is such a setting of every type, for all credentials.
	Addresses() []Address
	// Receive verifies a request to the channel's hook over its raw bytes, in constant
	// time, and parses it. It makes no calls. It fails with ErrUnauthenticated, or with
	// ErrMalformed where nothing in the request can be read.
	Receive(channel Channel, request Request) (Received, error)
	// Send sends a message, or one part of it. It fails with *SendError.
	Send(ctx context.Context, channel Channel, message Outbound) (Sent, error)
	// Check asks the provider who the credentials belong to, and returns a name to show.
	// It fails with *SendError.
	Check(ctx context.Context, channel Channel) (string, error)
}

// Configurable is a Provider whose rules depend on the config of a channel.
type Configurable interface {
	// RulesFor returns the rules of a channel with this config.
	RulesFor(config json.RawMessage) Rules
}

// Connector is a Provider that tells its provider about the channel's hook.
type Connector interface {
	// Connect registers the hook. It is called when a channel is created, enabled or
	// given other credentials, and may be called again.
	Connect(ctx context.Context, channel Channel) error
	// Disconnect removes the hook. The credentials may no longer be valid.
	Disconnect(ctx context.Context, channel Channel) error
}

// Completer is a Provider that fills in settings that are optional, such as secrets to
// generate.
type Completer interface {
	// Complete adds credentials to channel.Credentials before they are validated.
	Complete(channel Channel)
}

// Initiator is a Provider whose rules allow operators to write first.
type Initiator interface {
	// Recipient returns the identity of an address that an operator has entered, in the
	// form that Receive gives it, and false if it is not an address of this type.
	Recipient(to string) (Identity, bool)
}

// Fetcher is a Provider whose attachments are downloaded after their message was received.
type Fetcher interface {
	// Fetch opens the file with the ID that Receive returned. The caller closes it.
	Fetch(ctx context.Context, channel Channel, externalID string) (File, error)
}

// Listener is a Provider that receives messages over a connection of its own, such as
// IMAP, instead of a hook.
type Listener interface {
	// Listen passes on what it receives until ctx ends or the connection breaks. deliver
	// returns once the items are stored; state is kept with them, and given to the next
	// Listen in Channel.State.
	Listen(ctx context.Context, channel Channel, deliver func(ctx context.Context, items []Item, state json.RawMessage) error) error
}

// Authorizer is a Provider whose channels can be authorized in a browser (OAuth 2).
type Authorizer interface {
	// AuthorizationURL returns the page on which the channel is authorized, and false if it
	// lacks the settings for that. The provider appends state and a code to redirectURL.
	AuthorizationURL(channel Channel, redirectURL, state string) (string, bool)
	// Authorize returns the credentials that a code stands for, to add to those of the
	// channel. It fails with *SendError.
	Authorize(ctx context.Context, channel Channel, redirectURL, code string) (map[string]string, error)
}

// Templater is a Provider whose channels have templates if Rules.Templates is set.
type Templater interface {
	// Templates returns approved templates, at most limit of them, from where an earlier
	// call ended; at first, after is empty. next is where the list goes on, empty at its
	// end. It fails with *SendError.
	Templates(ctx context.Context, channel Channel, after string, limit int) (found []Template, next string, err error)
	// Template returns an approved template, and false if there is none. It fails with
	// *SendError.
	Template(ctx context.Context, channel Channel, name, language string) (found Template, ok bool, err error)
}

// Channel is a channel as its provider sees it.
type Channel struct {
	WorkspaceID, ID uuid.UUID
	Type            api.ChannelType
	Name            string
	Config          json.RawMessage
	// Credentials are secrets. They must not reach logs or errors; see Redact.
	Credentials map[string]string
	// APIBaseURL is where the provider's API is, without a slash at the end; empty for
	// the provider's own.
	APIBaseURL string
	// HookURL is the public URL of the channel's hook, as the provider calls it.
	HookURL string
	State   json.RawMessage
}

// Request is a request to a channel's hook. Path is what follows the channel's ID in its path.
type Request struct {
	Method     string
	Path       string
	Header     http.Header
	Query      url.Values
	Body       []byte
	ReceivedAt time.Time
}

// Received is what a request contained. Entries that can be read are kept, even if others
// cannot.
type Received struct {
	Items []Item
	// Malformed describes entries that were omitted.
	Malformed []string
	// Reply is the exact response that the provider expects; nil for an empty 200.
	Reply *Reply
}

// Reply is a response to a provider.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}

// Invalid is a setting that a channel cannot work with.
type Invalid struct {
	// Pointer is a JSON pointer into the request, such as /credentials/botToken.
	Pointer string
	Message string
}

// Address is a setting that says where credentials are sent.
type Address struct {
	// Setting is its path in the config, such as smtp and host.
	Setting []string
	// Credentials are the names of those that are sent there.
	Credentials []string
}

// Rules are the limits and promises of a channel type.
type Rules struct {
	// MaxLength is the longest text of one message, in characters. Longer texts are
	// rejected, or split where Split is set.
	MaxLength int
	Split     bool
	// Window is how long after the contact's last message operators may reply; 0 for no limit.
	// Templates says that templates may be sent at any time: the provider is a Templater.
	Window    time.Duration
	Templates bool
	// Initiate says that an operator may start a conversation.
	Initiate bool
	// Idempotent says that Send with the same Outbound.Key sends once, so that a message
	// whose outcome is unknown is sent again. Otherwise it becomes UNCONFIRMED.
	Idempotent bool
	// Verified says that the provider vouches for who its contacts are.
	Verified bool
	// Attachments says that messages with files can be sent. Together says that a message's
	// text and all its files are one part: one Send has all of them.
	Attachments, Together bool
	// References says that a Send uses the references of a message.
	References bool
	// Hook says that the provider calls the channel's hook.
	Hook bool
	// MaxHookBody is the longest request to the hook, in bytes; 0 for 1 MiB.
	MaxHookBody int64
	// Interval is the least time between two messages of a channel, and ContactInterval
	// between two to the same contact; 0 for none.
	Interval, ContactInterval time.Duration
	// AutomaticPerHour is how many messages agents may send to a contact within an hour,
	// so that two machines do not write to each other without end; 0 for no limit.
	AutomaticPerHour int
	// Timeout bounds a Send, a Check and a Fetch.
	Timeout time.Duration
}

// Outbound is a message to send.
type Outbound struct {
	// Key is the same whenever this message, or this part of it, is sent again.
	Key       string
	MessageID uuid.UUID
	// To is the identity of the contact: its address, else its external ID.
	To string
	// Thread is the provider's thread of the conversation, empty if there is none.
	Thread  string
	Subject string
	Text    string
	// ReplyTo is the provider's ID of the message replied to; empty if there is none.
	ReplyTo string
	// References are the provider's IDs of the thread's messages, oldest first, at most 20; none
	// without Rules.References.
	References []string
	// ConversationToken identifies the conversation to Message.ConversationToken: lowercase
	// letters and digits, for an address to reply to.
	ConversationToken string
	// Automatic says that an agent wrote it, not a person.
	Automatic   bool
	Author      string // the name shown to the contact; may be empty
	Attachments []OutboundAttachment
	// Template is sent in place of Text, which is what it looks like; nil for none.
	Template *TemplateMessage
}

// OutboundAttachment is a file to send. Open may be called more than once.
type OutboundAttachment struct {
	Type        AttachmentType
	Name        string
	ContentType string
	SizeBytes   int64
	Open        func(context.Context) (io.ReadCloser, error)
}

// Sent is the outcome of a Send.
type Sent struct {
	// ExternalIDs are the provider's IDs; delivery reports name one of them.
	ExternalIDs []string
	// Thread is the provider's thread if Send began one.
	Thread string
	// Status is SENT, or DELIVERED where the provider has confirmed it in its response; empty for
	// SENT.
	Status api.DeliveryStatus
}

// File is an opened attachment.
type File struct {
	io.ReadCloser

	Name        string
	ContentType string
	SizeBytes   int64 // -1 if unknown
}
