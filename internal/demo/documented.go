package demo

import (
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
)

// IDs and time of the examples in the OpenAPI document, so that its samples work with the
// demo data.
var (
	documented = time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)
	exampleOne = uuid.MustParse("019dde42-9a00-7c3a-9f21-6a0b5f1d2e01")
	exampleTwo = uuid.MustParse("019dde42-9a00-7c3a-9f21-6a0b5f1d2e02")
)

// documented adds the lead, the agent, the tag, the conversations and the message of the examples in the
// OpenAPI document.
func (s *story) documented(c *cast) {
	if now := s.clock.Now(); now.Before(documented) {
		s.clock.Advance(documented.Sub(now))
	}
	s.agent(c, exampleOne, "Wholesale agent", api.AgentStatusPUBLISHED, "You help shops that order many pairs.", documented)
	s.row("leads", leadColumns, c.workspaceID, exampleOne, api.LeadStatusQUALIFIED,
		fields("Anna Nowak", "anna@example.com", "+48 111 222 333"), new(int16(78)), "external-form", nil, nil, documented, documented)
	s.row("tags", []string{"workspace_id", "id", "name", "created_at"}, c.workspaceID, exampleOne, "reseller", documented)
	for _, conversationID := range []uuid.UUID{exampleOne, exampleTwo} {
		contact, _, email, phone := s.contact(c)
		d := &dialogue{cast: c, id: conversationID, agent: exampleOne, contact: contact, email: email, phone: phone}
		d.move(api.ConversationStatusOPEN, documented)
		if conversationID == exampleOne {
			d.messages = append(d.messages, message{
				id: exampleOne, at: documented, content: "Do you ship to Prague?", kind: api.MessageAuthorTypeCONTACT, contact: &d.contact,
				delivery: api.DeliveryStatusRECEIVED,
			})
		}
		s.ask(d)
		if conversationID == exampleOne {
			s.handOff(d, true)
		}
		s.record(d, c.channels[0], new("POSITIVE"), documented)
		s.dependents(d, 1)
	}
}
