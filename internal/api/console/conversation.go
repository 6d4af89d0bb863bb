package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	messagesShown = 100
	quoteLength   = 140 // characters
)

// shownMessage is a message as a page shows it.
type shownMessage struct {
	ID               uuid.UUID
	Author           string
	Own              bool // written on this side
	Content          string
	At               time.Time
	Delivery         string // empty for a message of the contact
	Failed           bool
	Reason           string // why it was not delivered
	QuoteID          *uuid.UUID
	Quote            string
	Edited, Redacted bool
	Files            []string
	ConversationID   uuid.UUID
}

// state is what the head of a conversation and the form to reply depend on.
type state struct {
	ID               uuid.UUID
	Contact, Channel string
	Status           api.ConversationStatus
	Operator         string
	OperatorID       uuid.UUID // the nil UUID for none
	Tags             []db.Tag
	Subject, Summary string
	Names            names
	// Refusal says why there can be no reply now, and Until until when there can be one.
	Refusal   string
	Until     *time.Time
	MaxLength int
}

// refusals say why a channel allows no reply.
var refusals = map[api.ReplyPolicyReason]string{
	api.ReplyPolicyReasonCHANNELDELETED:  "The channel has been deleted, so replies cannot be sent.",
	api.ReplyPolicyReasonCHANNELDISABLED: "The channel is disabled, so replies cannot be sent.",
	api.ReplyPolicyReasonNORECIPIENT:     "The channel has no address of the contact.",
	api.ReplyPolicyReasonCONTACTBLOCKED:  "The contact has blocked the channel or opted out.",
	api.ReplyPolicyReasonWINDOWEXPIRED:   "The channel allows replies only for some time after the contact’s last message, and that time is over.",
}

func conversationState(d conversation.Detail, known names) state {
	of := d.Conversation
	s := state{
		ID: of.ID, Contact: contactName(d.Contact), Channel: known.channel(of.ChannelID), Status: of.Status, Tags: d.Tags, Names: known,
		Until: d.Policy.Until, MaxLength: d.Policy.MaxLength,
	}
	for to, text := range map[*string]*string{&s.Operator: d.OperatorName, &s.Subject: of.Subject, &s.Summary: of.Summary} {
		if text != nil {
			*to = *text
		}
	}
	if of.AssignedOperatorID != nil {
		s.OperatorID = *of.AssignedOperatorID
	}
	if !d.Policy.Open {
		s.Refusal = refusals[d.Policy.Reason]
		if d.Policy.TemplateRequired {
			s.Refusal += " A template can be sent through the API."
		}
	}
	return s
}

// show converts messages, which are ordered by their IDs.
func (c *console) show(ctx context.Context, of conversation.Detail, known names, messages []conversation.Message) []shownMessage {
	texts := make(map[uuid.UUID]string, len(messages))
	for _, message := range messages {
		texts[message.ID] = excerpt(message.Message)
	}
	shown := make([]shownMessage, len(messages))
	for i, message := range messages {
		shown[i] = showMessage(of, known, message)
		if message.ReplyToID == nil {
			continue
		}
		quote, ok := texts[*message.ReplyToID]
		if !ok {
			if quoted, err := c.Conversations.Message(ctx, message.WorkspaceID, message.ConversationID, *message.ReplyToID); err == nil {
				quote = excerpt(quoted.Message)
			}
		}
		shown[i].QuoteID, shown[i].Quote = message.ReplyToID, quote
	}
	return shown
}

func showMessage(of conversation.Detail, known names, message conversation.Message) shownMessage {
	one := shownMessage{
		ID: message.ID, ConversationID: message.ConversationID, Own: message.Role == api.MessageRoleASSISTANT, Content: message.Content, At: message.CreatedAt,
		Edited: message.EditedAt != nil, Redacted: message.RedactedAt != nil,
	}
	switch message.AuthorType {
	case api.MessageAuthorTypeCONTACT:
		one.Author = contactName(of.Contact)
	case api.MessageAuthorTypeAGENT:
		one.Author = "Agent"
	case api.MessageAuthorTypeOPERATOR:
		if one.Author = known.operator(message.OperatorID); one.Author == "" {
			one.Author = "Operator"
		}
	}
	if one.Own {
		one.Delivery, one.Failed = deliveries[message.DeliveryStatus], message.DeliveryStatus == api.DeliveryStatusFAILED
	}
	if message.ErrorMessage != nil {
		one.Reason = *message.ErrorMessage
	}
	if message.ProviderCode != nil {
		one.Reason = strings.TrimSpace(one.Reason + " (" + *message.ProviderCode + ")")
	}
	for _, file := range message.Attachments {
		name := strings.ToLower(string(file.Type))
		if file.Name != nil {
			name = *file.Name
		}
		one.Files = append(one.Files, name)
	}
	return one
}

// deliveries are the names of delivery statuses for people.
var deliveries = map[api.DeliveryStatus]string{
	api.DeliveryStatusQUEUED: "Sending", api.DeliveryStatusSENT: "Sent", api.DeliveryStatusDELIVERED: "Delivered", api.DeliveryStatusREAD: "Read",
	api.DeliveryStatusFAILED: "Not delivered", api.DeliveryStatusUNCONFIRMED: "Perhaps sent",
}

// excerpt returns the beginning of a message, to quote it.
func excerpt(row db.Message) string {
	if row.RedactedAt != nil {
		return "A removed message"
	}
	if utf8.RuneCountInString(row.Content) <= quoteLength {
		return row.Content
	}
	return string([]rune(row.Content)[:quoteLength]) + "…"
}

// conversationPage is the model of the page.
type conversationPage struct {
	Head     state
	Messages []shownMessage
	ID       uuid.UUID
	Position string // of the stream
	Older    string // cursor
	Contact  contact.Detail
	Name     string
	Lead     *db.Lead
	Fields   []field
	Live     bool // not an older page
}

// field is a property of a lead.
type field struct{ Name, Value string }

func (c *console) showConversation(w http.ResponseWriter, r *http.Request, v visitor) error {
	conversationID, err := pathID(r, "id")
	if err != nil {
		return err
	}
	// The position is read before the messages: what changes meanwhile is sent again.
	detail, err := c.Conversations.Get(r.Context(), v.Workspace.ID, conversationID)
	if err != nil {
		return err
	}
	request := page.Request{Limit: new(int32(messagesShown))}
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		request.Cursor = &cursor
	}
	list, err := c.Conversations.Messages(r.Context(), v.Workspace.ID, conversationID, api.MessageOrderDesc, request)
	if err != nil {
		return err
	}
	known, err := c.names(r.Context(), v.Workspace.ID)
	if err != nil {
		return err
	}
	slices.Reverse(list.Rows)
	shown := conversationPage{
		Head: conversationState(detail, known), Messages: c.show(r.Context(), detail, known, list.Rows),
		Position: conversation.PositionAt(detail.Conversation.Revision).String(), Live: cursor == "", Name: contactName(detail.Contact), ID: conversationID,
	}
	if list.Next != nil {
		shown.Older = *list.Next
	}
	if shown.Contact, err = c.Contacts.Get(r.Context(), v.Workspace.ID, detail.Contact.ID); err != nil {
		return err
	}
	row, err := c.Leads.OfConversation(r.Context(), v.Workspace.ID, conversationID)
	switch {
	case err == nil:
		shown.Lead, shown.Fields = &row, leadFields(row)
	case !postgres.IsNotFound(err):
		return err
	}
	return c.render(w, r, http.StatusOK, "conversation", view{Title: shown.Name, Visitor: v, Page: shown})
}

// leadFields returns the properties of a lead by name.
func leadFields(row db.Lead) []field {
	values := map[string]string{}
	if err := json.Unmarshal(row.Fields, &values); err != nil {
		return nil
	}
	fields := make([]field, 0, len(values))
	for name, value := range values {
		fields = append(fields, field{name, value})
	}
	sort.Slice(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	return fields
}
