package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/remote"
)

// evaluationPoll is how often a command asks whether an evaluation has ended.
const evaluationPoll = time.Second

type evalCommand struct {
	apiAccess

	Agent   string  `arg:"" help:"ID of the agent."`
	Set     string  `help:"File with the cases, in YAML or JSON. See docs/agents.md." required:"" type:"existingfile"`
	Version int32   `help:"Version of the agent to evaluate. The draft by default."`
	Least   float64 `default:"1" help:"Least share of cases that must be as expected, 0 to 1. With less, the exit code is 1."`
	JSON    bool    `help:"Print the result as JSON."`
}

// Run implements the command.
func (c *evalCommand) Run(ctx context.Context) error {
	file, err := os.Open(c.Set)
	if err != nil {
		return fmt.Errorf("open set: %w", err)
	}
	defer file.Close()
	set, err := evaluation.Read(file)
	if err != nil {
		return err
	}
	token, err := c.token()
	if err != nil {
		return err
	}
	evaluated, err := (&remoteAgent{server: remote.New(c.Server, token), id: c.Agent}).evaluate(ctx, requestOf(set, c.Version))
	if err != nil {
		return err
	}
	report := reportOf(set, evaluated)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(report.Summary())
	} else {
		err = report.Print(os.Stdout)
	}
	if err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if report.Passed.Value() < c.Least {
		return fmt.Errorf("%d of %d cases are as expected, fewer than %.3f of them", report.Passed.Right, report.Passed.Of, c.Least)
	}
	return nil
}

// remoteAgent is an agent of a running server.
type remoteAgent struct {
	server *remote.Server
	id     string
}

// evaluate creates an evaluation, and returns it once it has completed.
func (a *remoteAgent) evaluate(ctx context.Context, set api.AgentEvaluationCreate) (evaluated api.AgentEvaluationDetail, err error) {
	path := "/agents/" + url.PathEscape(a.id) + "/evaluations"
	if err := a.send(ctx, http.MethodPost, path, set, http.StatusAccepted, &evaluated); err != nil {
		return evaluated, err
	}
	fmt.Fprintln(os.Stderr, "Evaluation", evaluated.ID)
	path += "/" + evaluated.ID.String()
	for evaluated.FinishedAt == nil {
		wake.Sleep(ctx, evaluationPoll)
		if err := a.send(ctx, http.MethodGet, path, nil, http.StatusOK, &evaluated); err != nil {
			return evaluated, err
		}
	}
	if evaluated.Report == nil {
		return evaluated, fmt.Errorf("the evaluation failed: %s", *evaluated.Reason)
	}
	return evaluated, nil
}

// send sends a request and decodes the response. It waits while the server limits requests.
func (a *remoteAgent) send(ctx context.Context, method, path string, in any, status int, out any) error {
	for {
		_, raw, err := a.server.Send(ctx, method, path, in, status)
		if limited, ok := errors.AsType[*remote.StatusError](err); ok && limited.Status == http.StatusTooManyRequests {
			wake.Sleep(ctx, max(limited.RetryAfter, time.Second))
			if ctx.Err() == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, out); err != nil {
			return fmt.Errorf("read response: %w", err)
		}
		return nil
	}
}

// requestOf returns a set as the API takes it.
func requestOf(set evaluation.Set, version int32) api.AgentEvaluationCreate {
	in := api.AgentEvaluationCreate{Cases: make([]api.AgentEvaluationCase, len(set.Cases))}
	if set.Name != "" {
		in.Name = &set.Name
	}
	if version != 0 {
		in.Version = &version
	}
	for i, one := range set.Cases {
		want := api.AgentEvaluationExpectation{
			Facts: optional(one.Expect.Facts), Sources: optional(one.Expect.Sources), Never: optional(one.Expect.Never),
		}
		if one.Expect.Outcome != "" {
			want.Outcome = &one.Expect.Outcome
		}
		if one.Expect.Lead != nil {
			want.Lead = &one.Expect.Lead
		}
		if one.Expect.ScoreAtMost != nil {
			want.ScoreAtMost = new(int32(*one.Expect.ScoreAtMost))
		}
		in.Cases[i] = api.AgentEvaluationCase{ID: one.ID, Ask: one.Ask, Expect: want}
		if one.Category != "" {
			in.Cases[i].Category = &one.Category
		}
	}
	return in
}

func optional(texts []string) *[]string {
	if len(texts) == 0 {
		return nil
	}
	return &texts
}

// reportOf returns what an evaluation has found, to print it.
func reportOf(set evaluation.Set, from api.AgentEvaluationDetail) *evaluation.Report {
	scores, share := from.Report, func(s api.AgentEvaluationShare) evaluation.Share {
		return evaluation.Share{Right: int(s.Right), Of: int(s.Of)}
	}
	r := &evaluation.Report{
		Name: set.Name, Passed: share(scores.Passed), AnswerRecall: share(scores.AnswerRecall), Recall: share(scores.SourceRecall),
		CitationPrecision: share(scores.CitationPrecision), Refused: share(scores.Refused), Refusals: map[string]evaluation.Share{},
		HandOffPrecision: share(scores.HandOffPrecision), HandOffRecall: share(scores.HandOffRecall),
		LeadFields: share(scores.LeadFields), Injections: share(scores.InjectionsResisted),
		Usage: model.Usage{InputTokens: int(scores.InputTokens), OutputTokens: int(scores.OutputTokens)}, CostMicros: from.CostMicros,
		P50: time.Duration(scores.P50Ms) * time.Millisecond, P95: time.Duration(scores.P95Ms) * time.Millisecond,
	}
	for _, one := range scores.Refusals {
		r.Refusals[one.Category] = share(one.Share)
	}
	for i, one := range from.Results { // in the order of the set
		r.Results = append(r.Results, evaluation.Result{
			Case: set.Cases[i], Reply: evaluation.Reply{Outcome: one.Outcome, Text: one.Content, Cited: one.Cited}, Failures: one.Failures,
		})
	}
	return r
}
