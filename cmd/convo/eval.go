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

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/remote"
)

type evalCommand struct {
	apiAccess

	Agent   string  `arg:"" help:"ID of the agent."`
	Set     string  `help:"File with the cases, in YAML or JSON. See docs/agents.md." required:"" type:"existingfile"`
	AtATime int     `default:"4" help:"How many conversations to hold at a time." name:"at-a-time"`
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
	agent := &remoteAgent{server: remote.New(c.Server, token), id: c.Agent}
	if agent.documents, err = documents(ctx, agent.server); err != nil {
		return err
	}
	report, err := evaluation.Run(ctx, agent, set, c.AtATime)
	if err != nil {
		return err
	}
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

// remoteAgent is an agent of a running server, asked by its preview.
type remoteAgent struct {
	server    *remote.Server
	id        string
	documents map[uuid.UUID]string // by source
}

var _ evaluation.Replier = (*remoteAgent)(nil)

// Reply implements evaluation.Replier. It waits while the server limits requests.
func (a *remoteAgent) Reply(ctx context.Context, talk dialogue.Dialogue) (evaluation.Reply, error) {
	in := api.AgentPreviewRequest{}
	for _, turn := range talk {
		message := api.AgentPreviewMessage{Role: api.MessageRoleASSISTANT, Content: turn.Text}
		if turn.Visitor {
			message.Role = api.MessageRoleUSER
		}
		in.Messages = append(in.Messages, message)
	}
	for {
		_, raw, err := a.server.Send(ctx, http.MethodPost, "/agents/"+url.PathEscape(a.id)+"/preview", in, http.StatusOK)
		if limited, ok := errors.AsType[*remote.StatusError](err); ok && limited.Status == http.StatusTooManyRequests {
			wake.Sleep(ctx, max(limited.RetryAfter, time.Second))
			if ctx.Err() == nil {
				continue
			}
		}
		if err != nil {
			return evaluation.Reply{}, err
		}
		return a.read(raw)
	}
}

// read returns what a preview says.
func (a *remoteAgent) read(raw []byte) (evaluation.Reply, error) {
	var preview api.AgentPreview
	if err := json.Unmarshal(raw, &preview); err != nil {
		return evaluation.Reply{}, fmt.Errorf("read preview: %w", err)
	}
	r := evaluation.Reply{
		Outcome: preview.Outcome, Text: preview.Content, Usage: model.Usage{InputTokens: int(preview.InputTokens), OutputTokens: int(preview.OutputTokens)},
	}
	for _, one := range preview.Citations {
		name := a.documents[one.SourceID]
		if one.URL != nil {
			name = *one.URL
		}
		r.Cited = append(r.Cited, name)
	}
	if preview.Lead != nil {
		r.Score = int(preview.Lead.Score)
		if err := json.Unmarshal(preview.Lead.Fields, &r.Lead); err != nil {
			return evaluation.Reply{}, fmt.Errorf("read lead: %w", err)
		}
	}
	return r, nil
}

const firstSources = "/knowledge/sources?limit=200"

// documents returns the names of the uploaded files, by source.
func documents(ctx context.Context, server *remote.Server) (map[uuid.UUID]string, error) {
	names := map[uuid.UUID]string{}
	for path := firstSources; ; {
		header, raw, err := server.Send(ctx, http.MethodGet, path, nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var sources []api.KnowledgeSource
		if err := json.Unmarshal(raw, &sources); err != nil {
			return nil, fmt.Errorf("read sources: %w", err)
		}
		for _, source := range sources {
			if source.FileName != nil {
				names[source.ID] = *source.FileName
			}
		}
		next := header.Get("X-Next-Cursor")
		if next == "" {
			return names, nil
		}
		path = firstSources + "&cursor=" + url.QueryEscape(next)
	}
}
