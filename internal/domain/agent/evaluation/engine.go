package evaluation

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/domain/agent/tools"
)

// Engine measures an agent of this process.
type Engine struct {
	Replies *reply.Engine
	Agent   db.Agent
	// EvaluationID is what calls of models are entered under in the ledger; nil without one.
	EvaluationID *uuid.UUID
}

var _ Replier = Engine{}

// Reply implements Replier.
func (e Engine) Reply(ctx context.Context, talk dialogue.Dialogue) (Reply, error) {
	found := []tools.Passage{}
	engine := *e.Replies
	engine.Search = func(ctx context.Context, space uuid.UUID, question string) ([]tools.Passage, error) {
		more, err := e.Replies.Search(ctx, space, question)
		found = append(found, more...)
		return more, err
	}
	last, err := engine.Reply(ctx, reply.Input{WorkspaceID: e.Agent.WorkspaceID, Agent: e.Agent, EvaluationID: e.EvaluationID, Dialogue: talk})
	if err != nil {
		return Reply{}, err
	}
	r := Reply{Outcome: last.Outcome, Reason: last.Reason, Text: last.Text, Usage: last.Usage, Builtin: last.Builtin, Found: make([]string, len(found))}
	for i, passage := range found {
		r.Found[i] = passage.Document
	}
	for _, one := range last.Citations {
		i := slices.IndexFunc(found, func(passage tools.Passage) bool {
			return passage.SourceID == one.SourceID && passage.Title == one.Title
		})
		if i >= 0 && !slices.Contains(r.Cited, found[i].Document) {
			r.Cited = append(r.Cited, found[i].Document)
		}
	}
	if last.Lead != nil {
		r.Lead, r.Score = last.Lead.Fields, last.Lead.Score
	}
	return r, nil
}
