package console

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
)

// conversationChange is a change by a user of the console. It reports whether it has
// changed anything.
type conversationChange struct {
	action, notice string
	do             func(ctx context.Context, on postgres.Conn) (bool, error)
}

// changeConversation carries out the action of the path.
func (c *console) changeConversation(w http.ResponseWriter, r *http.Request, v visitor) error {
	conversationID, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	one, err := c.conversationChange(r, v, conversationID)
	if err != nil {
		return err
	}
	path := conversationPath(conversationID)
	err = c.recorded(r, v, one.action, path, one.do)
	if err == nil {
		if one.notice == "" {
			http.Redirect(w, r, path+"?sent=1", http.StatusSeeOther) //nolint:gosec // a path of the console, with a parsed ID
			return nil
		}
		return c.back(w, r, path, one.notice)
	}
	known := problem.Classify(err)
	if kind := c.Document.Errors[known.Code]; kind.Status < http.StatusInternalServerError && kind.Status != http.StatusNotFound {
		return c.backFailed(w, r, path, cmp.Or(known.Detail, kind.Title))
	}
	return err
}

// conversationChange reads what it needs itself, since nothing else may be read in the transaction.
func (c *console) conversationChange(r *http.Request, v visitor, conversationID uuid.UUID) (conversationChange, error) {
	service, space := c.Conversations, v.Workspace.ID
	turn := func(to func(context.Context, postgres.Conn, uuid.UUID, uuid.UUID) (db.ConversationGetRow, error)) func(context.Context, postgres.Conn) (bool, error) {
		return func(ctx context.Context, on postgres.Conn) (bool, error) {
			_, err := to(ctx, on, space, conversationID)
			return true, err
		}
	}
	switch r.PathValue("action") {
	case "reply":
		detail, err := c.Conversations.Get(r.Context(), space, conversationID)
		return conversationChange{"operator_message.sent", "", func(ctx context.Context, on postgres.Conn) (bool, error) {
			return true, c.reply(ctx, on, r, v, detail.Conversation)
		}}, err
	case "close":
		return conversationChange{"conversation.closed", "The conversation is closed.", turn(service.Close)}, nil
	case "reopen":
		return conversationChange{"conversation.reopened", "The conversation is open again: the agent replies.", turn(service.Reopen)}, nil
	case "release":
		return conversationChange{"conversation.released", "The agent has the conversation again.", turn(service.Release)}, nil
	case "hand-off":
		return conversationChange{"conversation.handed_off", "Operators have the conversation.", func(ctx context.Context, on postgres.Conn) (bool, error) {
			me, err := c.me(ctx, on, v)
			if err == nil {
				_, err = service.HandOff(ctx, on, space, conversationID, conversation.HandOff{OperatorID: &me})
			}
			return true, err
		}}, nil
	case "assign":
		return conversationChange{"conversation.assigned", "The assignment was changed.", func(ctx context.Context, on postgres.Conn) (bool, error) {
			return c.assign(ctx, on, r.PostForm.Get("operator"), v, conversationID)
		}}, nil
	case "tag":
		known, err := c.names(r.Context(), space)
		return conversationChange{"conversation.tags_changed", "The tags were changed.", func(ctx context.Context, on postgres.Conn) (bool, error) {
			return c.tag(ctx, on, r, v, conversationID, known.Tags)
		}}, err
	}
	return conversationChange{}, problem.NotFound()
}

// me returns the operator that the user is, and makes them one if they are none yet.
func (c *console) me(ctx context.Context, on postgres.Conn, v visitor) (uuid.UUID, error) {
	known, err := c.Conversations.OperatorOf(ctx, on, v.Workspace.ID, v.User.ID)
	if err == nil || !postgres.IsNotFound(err) {
		return known.ID, err
	}
	row, err := c.Conversations.CreateOperator(ctx, on, v.Workspace.ID, v.User.Name, &v.User.Email)
	return row.Operator.ID, err
}

// reply sends a message. A conversation that is assigned to no one is assigned to the user,
// who signs the message.
func (c *console) reply(ctx context.Context, on postgres.Conn, r *http.Request, v visitor, of db.Conversation) error {
	in := conversation.Reply{Content: strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("content"), "\r\n", "\n"))}
	if in.Content == "" {
		return problem.Malformed("Write a message first.")
	}
	if text := r.PostForm.Get("replyTo"); text != "" {
		quoted, err := uuid.Parse(text)
		if err != nil {
			return problem.Malformed("Unknown message.")
		}
		in.ReplyToID = &quoted
	}
	if of.AssignedOperatorID == nil && of.Status == api.ConversationStatusHANDEDOFF {
		if _, err := c.assign(ctx, on, "me", v, of.ID); err != nil {
			return err
		}
	}
	_, err := c.Conversations.Reply(ctx, on, v.Workspace.ID, of.ID, in)
	return err
}

// assign assigns a conversation to an operator, to the user ("me") or to no one.
func (c *console) assign(ctx context.Context, on postgres.Conn, to string, v visitor, conversationID uuid.UUID) (bool, error) {
	bulk := conversation.Bulk{IDs: []uuid.UUID{conversationID}, Action: api.BulkActionAssign}
	switch to {
	case "":
	case "me":
		me, err := c.me(ctx, on, v)
		if err != nil {
			return false, err
		}
		bulk.OperatorID = &me
	default:
		parsed, err := uuid.Parse(to)
		if err != nil {
			return false, problem.Malformed("Unknown operator.")
		}
		bulk.OperatorID = &parsed
	}
	result, err := c.Conversations.Apply(ctx, on, v.Workspace.ID, bulk)
	return result.Updated > 0, err
}

// tag adds a tag by its name, which is created if there is none, or removes one by its ID.
func (c *console) tag(ctx context.Context, on postgres.Conn, r *http.Request, v visitor, conversationID uuid.UUID, known []db.Tag) (bool, error) {
	bulk := conversation.Bulk{IDs: []uuid.UUID{conversationID}, Action: api.BulkActionTag}
	if remove := r.PostForm.Get("remove"); remove != "" {
		parsed, err := uuid.Parse(remove)
		if err != nil {
			return false, problem.Malformed("Unknown tag.")
		}
		bulk.Action, bulk.TagIDs = api.BulkActionUntag, []uuid.UUID{parsed}
	} else {
		row, err := c.tagNamed(ctx, on, v, r.PostForm.Get("name"), known)
		if err != nil {
			return false, err
		}
		bulk.TagIDs = []uuid.UUID{row.ID}
	}
	result, err := c.Conversations.Apply(ctx, on, v.Workspace.ID, bulk)
	return result.Updated > 0, err
}

func (c *console) tagNamed(ctx context.Context, on postgres.Conn, v visitor, name string, known []db.Tag) (db.Tag, error) {
	for _, tag := range known {
		if strings.EqualFold(tag.Name, strings.TrimSpace(name)) {
			return tag, nil
		}
	}
	return c.Conversations.CreateTag(ctx, on, v.Workspace.ID, name)
}
