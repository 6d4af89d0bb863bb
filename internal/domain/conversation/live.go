package conversation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Changed tells what shows conversations live that these have changed, once that is
// committed.
func (s *Service) Changed(on postgres.Conn, ids ...uuid.UUID) {
	if s.Live == nil || len(ids) == 0 {
		return
	}
	hints := make([]fanout.Hint, len(ids))
	for i, id := range ids {
		hints[i] = fanout.Hint{Topic: id}
	}
	postgres.AfterCommit(on, func() { s.Live.Publish(hints...) })
}

// OperatorTyping shows the contact that an operator is writing, or has stopped. It fails with
// postgres.ErrNotFound, ErrNotHandedOff or ErrClosed.
func (s *Service) OperatorTyping(ctx context.Context, workspaceID, conversationID uuid.UUID, on bool) error {
	row, err := s.row(ctx, workspaceID, conversationID)
	if err != nil {
		return err
	}
	switch row.Conversation.Status {
	case api.ConversationStatusOPEN:
		return ErrNotHandedOff
	case api.ConversationStatusCLOSED:
		return ErrClosed
	case api.ConversationStatusHANDEDOFF:
	}
	s.Typing(conversationID, api.MessageAuthorTypeOPERATOR, on)
	return nil
}

// Typing tells what shows a conversation live that someone is writing in it, or has stopped.
// Nothing is stored. It does not wait.
func (s *Service) Typing(conversationID uuid.UUID, author api.MessageAuthorType, on bool) {
	if s.Live == nil {
		return
	}
	s.Live.Publish(fanout.Hint{Topic: conversationID, Signal: fmt.Appendf(nil, `{"author":%q,"on":%t}`, author, on)})
}

// maxDraft is the longest draft, in bytes: other processes get it in a notification of
// PostgreSQL, which has less than 8,000.
const maxDraft = 2000

// Draft shows the contact what an agent has written so far, in place of the previous draft; an
// empty text removes it. Nothing is stored. It does not wait.
func (s *Service) Draft(conversationID uuid.UUID, text string) {
	if s.Live == nil {
		return
	}
	if len(text) > maxDraft {
		text = strings.ToValidUTF8(text[:maxDraft-len("…")], "") + "…"
	}
	signal, err := json.Marshal(api.WidgetTypingEvent{Author: api.MessageAuthorTypeAGENT, On: true, Draft: &text})
	if err != nil {
		return // a text can be encoded
	}
	s.Live.Publish(fanout.Hint{Topic: conversationID, Signal: signal})
}
