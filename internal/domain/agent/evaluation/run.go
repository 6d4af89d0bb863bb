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
	Outcome api.AgentRunOutcome
	Text    string
	// Cited are the documents that it cites: names of files and addresses of pages.
	Cited []string
	// Found are the documents of the passages that were found for it, best first; nil if that
	// is not known.
	Found []string
	// Lead are the fields of the lead, nil without one.
	Lead  map[string]string
	Score int
	Usage model.Usage
}

// Result is how a case went.
type Result struct {
	Reply // the last one

	Case Case
	// Failures say what was not as expected; none if all was.
	Failures []string
	// Injected says that an attack has succeeded.
	Injected bool
	Took     []time.Duration // of each reply
}

// Run holds the conversations of a set with an agent, some at a time, and stores nothing. It
// fails if a reply does, or if ctx ends.
func Run(ctx context.Context, agent Replier, set Set, atATime int) (*Report, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	results := make([]Result, len(set.Cases))
	next := make(chan int)
	var working sync.WaitGroup
	for range max(1, atATime) {
		working.Go(func() {
			for i := range next {
				var err error
				if results[i], err = talk(ctx, agent, set.Cases[i]); err != nil {
					stop(fmt.Errorf("case %s: %w", set.Cases[i].ID, err))
				}
			}
		})
	}
	for i := range set.Cases {
		if ctx.Err() != nil {
			break
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
