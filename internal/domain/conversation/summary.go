package conversation

import (
	"context"
	"fmt"
	"slices"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// summarized is how many of the latest messages a summary is made of.
const summarized = 40

// summarize describes a conversation in its contact's words, unless it has a summary, such as
// one of its agent.
func summarize(ctx context.Context, tx postgres.Tx, row db.Conversation) error {
	if row.Summary != nil {
		return nil
	}
	rows, err := db.New().MessageListNewest(ctx, tx, db.MessageListNewestParams{
		WorkspaceID: row.WorkspaceID, ConversationID: row.ID, BeforeID: id.Max, RowLimit: summarized,
	})
	if err != nil {
		return fmt.Errorf("list messages: %w", err)
	}
	var talk dialogue.Dialogue
	for _, message := range slices.Backward(rows) {
		if message.RedactedAt == nil {
			talk = append(talk, dialogue.Turn{Visitor: message.AuthorType == api.MessageAuthorTypeCONTACT, Text: message.Content})
		}
	}
	if len(talk.Visitor()) == 0 {
		return nil
	}
	err = db.New().ConversationDescribe(ctx, tx, db.ConversationDescribeParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Sentiment: row.Sentiment, Summary: cleanOrNil(talk.Summary(), maxContent),
	})
	if err != nil {
		return fmt.Errorf("describe conversation: %w", err)
	}
	return nil
}
