package conversation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
)

// TemplateMessage is a template to send, with the values of its parameters.
type TemplateMessage struct {
	Name, Language string
	Parameters     []string
	// Definition is the template at the provider; nil if the provider could not be asked.
	Definition *provider.Template
}

// TemplateChannel returns the channel of a conversation in which operators may send a template
// now. It fails with postgres.ErrNotFound, ErrNotHandedOff, ErrClosed, *ReplyRefusedError or
// *provider.NoTemplatesError.
func (s *Service) TemplateChannel(ctx context.Context, workspaceID, conversationID uuid.UUID) (channelID uuid.UUID, err error) {
	row, err := s.row(ctx, workspaceID, conversationID)
	if err != nil {
		return channelID, err
	}
	return row.Conversation.ChannelID, s.acceptsTemplate(row)
}

// SendTemplate stores a template as an operator's message, and queues it for sending. It fails
// as TemplateChannel does, or with *provider.TemplateValuesError or *TooLongError, and then
// stores nothing.
func (s *Service) SendTemplate(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID, in TemplateMessage) (db.Message, error) {
	content, template, err := in.fill()
	if err != nil {
		return db.Message{}, err
	}
	if utf8.RuneCountInString(content) > maxReply {
		return db.Message{}, &TooLongError{MaxLength: maxReply}
	}
	encoded, err := json.Marshal(template)
	if err != nil {
		return db.Message{}, fmt.Errorf("encode template: %w", err)
	}
	return s.write(ctx, on, workspaceID, conversationID, func(_ context.Context, _ postgres.Tx, row db.ConversationGetRow) (outgoing, error) {
		return outgoing{Reply: Reply{Content: content}, Template: encoded}, s.acceptsTemplate(row)
	})
}

// acceptsTemplate reports why a conversation accepts no template. A closed reply window is no
// reason.
func (s *Service) acceptsTemplate(row db.ConversationGetRow) error {
	if err := operable(row.Conversation); err != nil {
		return err
	}
	if !s.Providers.RulesFor(row.ChannelType, row.ChannelConfig).Templates {
		return &provider.NoTemplatesError{Type: row.ChannelType}
	}
	if policy := s.policy(row); !policy.Open && policy.Reason != api.ReplyPolicyReasonWINDOWEXPIRED {
		return &ReplyRefusedError{Policy: policy}
	}
	return nil
}

// fill returns the text of the template and what to send. The text of a template that is not
// known names it and its parameters, which are sent in their order.
func (m TemplateMessage) fill() (content string, template provider.TemplateMessage, err error) {
	if m.Definition != nil {
		content, template, err = m.Definition.Fill(m.Parameters)
		return cmp.Or(content, m.Name), template, err
	}
	template = provider.TemplateMessage{Name: m.Name, Language: m.Language}
	for _, value := range m.Parameters {
		template.Parameters = append(template.Parameters, provider.TemplateValue{Text: value})
	}
	if len(m.Parameters) == 0 {
		return m.Name, template, nil
	}
	return m.Name + ": " + strings.Join(m.Parameters, ", "), template, nil
}
