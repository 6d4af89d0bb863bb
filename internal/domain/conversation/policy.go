package conversation

import (
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
)

// maxReply is the longest message that the API accepts, in characters.
const maxReply = 4096

// Policy is whether the channel of a conversation allows a reply now. Until is when its
// reply window closes or has closed, nil if it has none; Reason is empty if it is open.
type Policy struct {
	Open             bool
	Until            *time.Time
	MaxLength        int
	TemplateRequired bool
	Reason           api.ReplyPolicyReason
}

// policy applies the rules of the channel to a conversation.
func (s *Service) policy(row db.ConversationGetRow) Policy {
	rules := s.Providers.RulesFor(row.ChannelType, row.ChannelConfig)
	p := Policy{MaxLength: min(maxReply, rules.MaxLength)}
	if rules.Split {
		p.MaxLength = maxReply
	}
	if rules.Window > 0 {
		// A contact who has never written has never opened the window.
		until := row.Conversation.CreatedAt
		if last := row.Conversation.LastInboundAt; last != nil {
			until = last.Add(rules.Window)
		}
		p.Until = &until
	}
	switch expired := p.Until != nil && !s.Clock.Now().Before(*p.Until); {
	case row.ChannelDeletedAt != nil:
		p.Reason = api.ReplyPolicyReasonCHANNELDELETED
	case row.ChannelStatus == api.ChannelStatusDISABLED:
		p.Reason = api.ReplyPolicyReasonCHANNELDISABLED
	case row.Conversation.IdentityExternalID == nil:
		p.Reason = api.ReplyPolicyReasonNORECIPIENT
	case row.BlockedAt != nil:
		p.Reason = api.ReplyPolicyReasonCONTACTBLOCKED
	case expired:
		p.Reason, p.TemplateRequired = api.ReplyPolicyReasonWINDOWEXPIRED, rules.Templates
	default:
		p.Open = true
	}
	return p
}
