package app

import (
	"context"
	"sync"
	"time"

	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/builtin"
	"github.com/avelto/convo/internal/domain/agent/modelprovider"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/domain/agent/retrieval"
	"github.com/avelto/convo/internal/domain/agent/runner"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// agentConns is the pool of what lets agents reply.
	agentConns = 4
	// evaluationConns is the pool of what evaluates agents.
	evaluationConns = 2
	// previewsPerWorkspace is how many previews of a workspace run at a time, and
	// maxWaitingPreviews how many more wait.
	previewsPerWorkspace = 4
	maxWaitingPreviews   = 32
	maxPreviewWait       = 10 * time.Second
	// releasePolls is how many polls of other workers are between two searches for lost calls
	// of models.
	releasePolls = 30
)

// newReplies returns what decides what agents reply. It searches on a pool.
func newReplies(on *postgres.DB, parts Parts, out *connections) *reply.Engine {
	fixed := parts.Models
	if fixed == nil {
		fixed = model.Registry{builtin.Name: builtin.Provider{}}
	}
	models := &modelprovider.Source{Fixed: fixed, DB: on, Box: out.box, Client: out.models, Log: parts.Log}
	finder := retrieval.Finder{Search: (&knowledge.Service{DB: on}).Search}
	ledger := &spending.Ledger{DB: on, IDs: id.NewGenerator(parts.Clock), Clock: parts.Clock, Log: parts.Log}
	return &reply.Engine{Models: models, Search: finder.Find, Ledger: ledger}
}

// addAgents adds what lets agents reply to contacts.
func (a *App) addAgents(ctx context.Context, parts Parts, out *connections) error {
	own, err := parts.DB.Apart(ctx, agentConns)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, own.Close)
	parts.DB = own
	conversations := a.newConversations(parts, out)
	replies := newReplies(own, parts, out)
	agents := runner.New(runner.Options{
		DB: own, Engine: replies, Conversations: conversations, Clock: parts.Clock, Log: parts.Log,
		Leads: &lead.Service{DB: own, IDs: conversations.IDs, Clock: parts.Clock, Events: conversations.Events},
		Wake:  wake.NewSignal(), Poll: parts.Poll,
	})
	a.bell.Listen(wake.AgentRuns, agents.Wake)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer own.Close()
		var running sync.WaitGroup
		defer running.Wait()
		running.Go(func() { replies.Ledger.Run(ctx, releasePolls*parts.Poll) })
		agents.Run(ctx)
	})
	return a.addEvaluations(ctx, parts, out)
}

// addEvaluations adds what evaluates agents. It has a pool of its own, so that contacts don't
// wait for evaluations.
func (a *App) addEvaluations(ctx context.Context, parts Parts, out *connections) error {
	own, err := parts.DB.Apart(ctx, evaluationConns)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, own.Close)
	evaluations := &evaluator.Runner{DB: own, Engine: newReplies(own, parts, out), Clock: parts.Clock, Log: parts.Log, Wake: wake.NewSignal(), Poll: parts.Poll}
	a.bell.Listen(wake.Evaluations, evaluations.Wake)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer own.Close()
		evaluations.Run(ctx)
	})
	return nil
}
