package demo

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
)

// dialogue generates the messages of a conversation.
type dialogue struct {
	*cast

	id, agent, contact uuid.UUID
	email, phone       string
	status             api.ConversationStatus
	operator           *uuid.UUID
	messages           []message
	moves              []move
	handedOff, replied *time.Time
}

type message struct {
	content                  string
	kind                     api.MessageAuthorType
	contact, agent, operator *uuid.UUID
	delivery                 api.DeliveryStatus
	id                       uuid.UUID
	at                       time.Time
}

type move struct {
	from *string
	to   api.ConversationStatus
	at   time.Time
}

// conversation generates the i-th conversation. A third stay open, a third are handed
// off, and a third are closed, half of those after a handoff.
func (s *story) conversation(c *cast, i int) {
	contact, name, email, phone := s.contact(c)
	conversationID, now := s.ids.New()
	d := &dialogue{cast: c, id: conversationID, agent: c.agents[i%len(c.agents)], contact: contact, email: email, phone: phone}
	d.move(api.ConversationStatusOPEN, now)
	s.ask(d)
	switch i % 6 {
	case 0, 1:
	case 2, 3:
		s.handOff(d, i%2 == 0)
	case 4:
		s.handOff(d, true)
		s.later(30)
		d.move(api.ConversationStatusCLOSED, s.clock.Now())
	default:
		s.later(30)
		d.move(api.ConversationStatusCLOSED, s.clock.Now())
	}
	var sentiment *string
	if mood := []string{"POSITIVE", "NEUTRAL", "NEGATIVE", ""}[i%4]; mood != "" {
		sentiment = &mood
	}
	channels := c.channels
	if d.status != api.ConversationStatusCLOSED {
		channels = c.repliable // the demo's messages are too old for the others
	}
	s.record(d, channels[i%len(channels)], sentiment, now)
	s.dependents(d, i)
	if i%3 == 0 {
		s.capture(d, name, email, phone)
	}
}

// record writes the conversation, and the identity that its contact has in the channel.
func (s *story) record(d *dialogue, channel uuid.UUID, sentiment *string, createdAt time.Time) {
	asked := d.messages[0].at // every conversation begins with a question
	for _, m := range d.messages {
		if m.contact != nil {
			asked = m.at
		}
	}
	identity, address := d.identity(d.types[channel])
	s.row("contact_identities", []string{"workspace_id", "channel_id", "external_id", "address", "contact_id", "verified", "created_at", "last_seen_at"},
		d.workspaceID, channel, identity, address, d.contact, false, createdAt, asked)
	s.row("conversations", []string{
		"workspace_id", "id", "agent_id", "channel_id", "contact_id", "status", "sentiment", "assigned_operator_id", "last_message_at",
		"handed_off_at", "first_operator_reply_at", "created_at", "updated_at", "identity_external_id", "last_inbound_at", "revision",
	}, d.workspaceID, d.id, d.agent, channel, d.contact, string(d.status), sentiment, d.operator, d.messages[len(d.messages)-1].at,
		d.handedOff, d.replied, createdAt, s.clock.Now(), identity, asked, len(d.messages))
}

// identity returns the ID of the contact in a channel of a type, as its provider would give it,
// and the address to write to if that is another.
func (d *dialogue) identity(kind api.ChannelType) (externalID string, address *string) {
	digits := strings.NewReplacer("+", "", " ", "").Replace(d.phone)
	switch kind {
	case api.ChannelTypeTELEGRAM, api.ChannelTypeWHATSAPP:
		return digits, nil
	case api.ChannelTypeMESSENGER, api.ChannelTypeDISCORD:
		return "1000000" + digits, nil
	case api.ChannelTypeVIBER:
		return base64.StdEncoding.EncodeToString(d.contact[:]), nil
	case api.ChannelTypeEMAIL:
		return d.email, nil
	case api.ChannelTypeSLACK:
		return "U" + digits, new("DU" + digits)
	case api.ChannelTypeSMS, api.ChannelTypeVOICE:
		return "+" + digits, nil
	case api.ChannelTypeWEBSITE:
	}
	return d.contact.String(), nil
}

func (d *dialogue) move(to api.ConversationStatus, at time.Time) {
	var from *string
	if d.status != "" {
		status := string(d.status)
		from = &status
	}
	d.status = to
	d.moves = append(d.moves, move{from: from, to: to, at: at})
}

func (s *story) ask(d *dialogue) {
	for range 1 + s.random.IntN(3) {
		topic := s.random.IntN(len(questions))
		s.say(d, message{content: questions[topic], kind: api.MessageAuthorTypeCONTACT, contact: &d.contact, delivery: api.DeliveryStatusRECEIVED})
		s.say(d, message{content: answers[topic], kind: api.MessageAuthorTypeAGENT, agent: &d.agent, delivery: api.DeliveryStatusDELIVERED})
	}
}

func (s *story) say(d *dialogue, m message) {
	s.later(3)
	m.id, m.at = s.ids.New()
	d.messages = append(d.messages, m)
}

func (s *story) handOff(d *dialogue, answered bool) {
	s.later(10)
	at := s.clock.Now()
	d.handedOff = &at
	d.move(api.ConversationStatusHANDEDOFF, at)
	if !answered {
		return
	}
	operator := pick(s, d.operators)
	d.operator = &operator
	s.say(d, message{content: pick(s, replies), kind: api.MessageAuthorTypeOPERATOR, operator: d.operator, delivery: api.DeliveryStatusREAD})
	d.replied = &d.messages[len(d.messages)-1].at
}

// dependents writes the rows that reference the conversation.
func (s *story) dependents(d *dialogue, i int) {
	for n, m := range d.messages {
		role := api.MessageRoleASSISTANT
		if m.kind == api.MessageAuthorTypeCONTACT {
			role = api.MessageRoleUSER
		}
		s.row("messages", []string{
			"workspace_id", "id", "conversation_id", "role", "content", "author_type",
			"contact_id", "agent_id", "operator_id", "delivery_status", "created_at", "revision",
		}, d.workspaceID, m.id, d.id, string(role), m.content, string(m.kind), m.contact, m.agent, m.operator, string(m.delivery), m.at, n+1)
	}
	for _, m := range d.moves {
		s.row("conversation_status_changes", []string{"workspace_id", "conversation_id", "from_status", "to_status", "changed_at"},
			d.workspaceID, d.id, m.from, string(m.to), m.at)
	}
	for t := range min(i%3, len(d.tags)) {
		s.row("conversation_tags", []string{"workspace_id", "conversation_id", "tag_id"},
			d.workspaceID, d.id, d.tags[(i+t)%len(d.tags)])
	}
}

// capture creates a lead for the contact.
func (s *story) capture(d *dialogue, name, email, phone string) {
	leadID, now := s.ids.New()
	score := int16(s.random.IntN(101))
	s.row("leads", leadColumns, d.workspaceID, leadID, api.LeadStatusNEW, fields(name, email, phone),
		&score, "widget", &d.id, nil, now, now)
}
