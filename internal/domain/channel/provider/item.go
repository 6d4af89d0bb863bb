package provider

import (
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
)

// Item is one thing that a provider reports: a Message, Edit, Heard, Status, Typing, Block or
// End.
type Item interface{ item() }

// Message is a message of a contact.
type Message struct {
	// ExternalID is the provider's ID. A message with an ID that the channel has seen is
	// ignored.
	ExternalID string
	From       Identity
	// ClientMessageID is an ID that the contact's client chose; empty elsewhere.
	ClientMessageID string
	// Thread is the provider's thread. A message of a new thread begins a conversation.
	// If it is empty, the message continues the contact's latest open conversation that
	// has no thread.
	Thread  string
	Subject string
	Text    string
	// ReplyTo is the provider's ID of the message that this one replies to. References are
	// those of earlier messages of the same thread: a message continues the conversation of
	// one of them, even if it is closed. Only types with threads set them.
	ReplyTo    string
	References []string
	// ConversationToken is what the engine put into the address that the contact replied
	// to; empty if there is none.
	ConversationToken string
	// Automatic says that a machine wrote it, such as an out-of-office reply: it is
	// stored, and nothing answers it.
	Automatic   bool
	Attachments []Attachment
	SentAt      time.Time // the zero time if unknown
}

// Identity is who wrote: how the channel knows a contact.
type Identity struct {
	ExternalID string
	// Address is what to send to, if it is not ExternalID.
	Address string
	// Aliases are other external IDs of the same person, which the provider vouches for.
	Aliases []string
	// Name, Email and Phone are used for a new contact; empty if unknown.
	Name, Email, Phone string
	// Verified says that it is known who this is, also where Rules.Verified is not set.
	Verified bool
}

// AttachmentType is a kind of file.
type AttachmentType = api.AttachmentType

// Attachment types.
const (
	Image = api.AttachmentTypeIMAGE
	Audio = api.AttachmentTypeAUDIO
	Video = api.AttachmentTypeVIDEO
	Other = api.AttachmentTypeFILE
)

// TypeOf returns the type of an attachment with a media type, such as image/png.
func TypeOf(contentType string) AttachmentType {
	switch kind, _, _ := strings.Cut(contentType, "/"); kind {
	case "image":
		return Image
	case "audio":
		return Audio
	case "video":
		return Video
	}
	return Other
}

// Attachment is a file of a contact's message: with its bytes, or with an ID for Fetch.
type Attachment struct {
	Type        AttachmentType
	Name        string
	ContentType string
	SizeBytes   int64 // -1 if unknown
	ExternalID  string
	Content     []byte
}

// Edit changes or removes an earlier message of the contact.
type Edit struct {
	ExternalID string // of the message
	Text       string
	Removed    bool
	At         time.Time
}

// Heard reports that a contact has interrupted a message that was spoken to them, and what of
// it they had heard.
type Heard struct {
	ExternalID string // of the message
	Text       string
}

// Status is a delivery report for a message that was sent.
type Status struct {
	// ExternalID names the message. If it is empty, the report is for all messages to
	// Contact that were sent up to Through.
	ExternalID string
	Contact    string
	Through    time.Time
	// Status is DELIVERED, READ or FAILED.
	Status api.DeliveryStatus
	// Code and Detail are the provider's, for FAILED. Code is empty if there is none.
	Code, Detail string
	Kind         Kind // for FAILED
}

// Typing reports that a contact is writing, or has stopped.
type Typing struct {
	From string // external ID
	On   bool
}

// Block reports that a contact has blocked the channel or opted out, or takes that back.
type Block struct {
	From string // external ID
	On   bool
}

// End reports that a thread has ended, such as a call that was hung up: its conversation is
// closed.
type End struct{ Thread string }

func (Message) item() {}
func (Edit) item()    {}
func (Heard) item()   {}
func (Status) item()  {}
func (Typing) item()  {}
func (Block) item()   {}
func (End) item()     {}
