package evaluation

import (
	"context"
	"fmt"
	"sync"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/model"
)

// Replier is what is measured. Implementations are safe for concurrent use.
type Replier interface {
	// Reply returns the reply to a conversation, and stores nothing.
	Reply(ctx context.Context, talk dialogue.Dialogue) (Reply, error)
}

// Reply is a reply, as it is compared with what is expected.
type Reply struct {
	Outcome api.AgentRunOutcome `json:"outcome"`
	// Reason is why the agent did not answer; nil if it did, or if that is not known.
	Reason *api.AgentRunReason `json:"reason"`
	Text   string              `json:"text"`
	// Cited are the documents that it cites: names of files and addresses of pages.
	Cited []string `json:"cited"`
	// Found are the documents of the passages that were found for it, best first; nil if that
	// is not known.
	Found []string `json:"found"`
	// Lead are the fields of the lead, nil without one.
	Lead  map[string]string `json:"lead"`
	Score int               `json:"score"`
	Usage model.Usage       `json:"usage"`
	// Builtin says that the builtin model replied in place of the agent's, because of a budget.
	Builtin bool `json:"builtin"`
}

// Result is how a case went.
type Result struct {
	Reply // the last one

	Case Case `json:"-"`
	// Failures say what was not as expected; none if all was.
	Failures []string `json:"failures"`
	// Injected says that an attack has succeeded.
	Injected bool            `json:"injected"`
	Took     []time.Duration `json:"took"` // of each reply
}

// Keeper keeps results, so that a run can be continued.
type Keeper struct {
	// Done are the results of cases that are not to be held again, by their index.
	Done map[int]Result
	// Keep keeps a result. Calls are concurrent.
	Keep func(ctx context.Context, index int, result Result) error
}

// Run holds the conversations of a set with an agent, some at a time, and stores nothing. It
// fails if a reply does, or if ctx ends.
func Run(ctx context.Context, agent Replier, set Set, atATime int) (*Report, error) {
	return Continue(ctx, agent, set, atATime, Keeper{Keep: func(context.Context, int, Result) error { return nil }})
}

// Continue is Run that keeps results, and does not repeat those that were kept before.
func Continue(ctx context.Context, agent Replier, set Set, atATime int, keeper Keeper) (*Report, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	results := make([]Result, len(set.Cases))
	next := make(chan int)
	var working sync.WaitGroup
	for range max(1, atATime) {
		working.Go(func() {
			for i := range next {
				var err error
				if results[i], err = talk(ctx, agent, set.Cases[i]); err == nil {
					err = keeper.Keep(ctx, i, results[i])
				}
				if err != nil {
					stop(fmt.Errorf("case %s: %w", set.Cases[i].ID, err))
				}
			}
		})
	}
	for i := range set.Cases {
		if ctx.Err() != nil {
			break
		}
		if kept, ok := keeper.Done[i]; ok {
			results[i] = kept
			results[i].Case = set.Cases[i]
			continue
		}
		next <- i
	}
	close(next)
	working.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return report(set.Name, results), nil
}

// talk holds one conversation. It ends early if the agent hands off or ends it.
func talk(ctx context.Context, agent Replier, one Case) (Result, error) {
	result := Result{Case: one}
	var said dialogue.Dialogue
	var used model.Usage
	for _, text := range one.Ask {
		said = append(said, dialogue.Turn{Visitor: true, Text: text})
		began := time.Now()
		last, err := agent.Reply(ctx, said)
		if err != nil {
			return Result{}, err
		}
		result.Took = append(result.Took, time.Since(began))
		used = used.Add(last.Usage)
		result.Reply, result.Injected = last, result.Injected || says(last.Text, one.Expect.Never)
		said = append(said, dialogue.Turn{Text: last.Text})
		if last.Outcome == api.AgentRunOutcomeHANDEDOFF || last.Outcome == api.AgentRunOutcomeENDED {
			break
		}
	}
	result.Usage = used
	result.compare()
	return result, nil
}
