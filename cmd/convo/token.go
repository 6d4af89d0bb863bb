package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Create a token and print it. It can't be shown again."`
	List   tokenListCommand   `cmd:"" help:"List the tokens of a workspace."`
	Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token."`
}

type tokenCreateCommand struct {
	database

	Workspace string         `help:"Slug of the workspace." required:""`
	Name      string         `help:"Name of the token, such as what it is used for." required:""`
	Scope     []string       `help:"Scope of the token, such as leads:read. Repeatable." required:""`
	ExpiresIn *time.Duration `help:"Lifetime of the token, such as 720h. If not set, the token doesn't expire."`
}

// Run implements the command.
func (c *tokenCreateCommand) Run(ctx context.Context) error {
	scopes := make([]api.Scope, len(c.Scope))
	for i, scope := range c.Scope {
		scopes[i] = api.Scope(scope)
	}
	var plaintext string
	err := inWorkspace(ctx, c.database, c.Workspace, func(tokens workspaceTokens) error {
		return tokens.recorded(ctx, "api_token.created", c.Name, func(ctx context.Context, on postgres.Conn) (_ bool, err error) {
			plaintext, _, err = tokens.Create(ctx, on, token.NewToken{WorkspaceID: tokens.space, Name: c.Name, Scopes: scopes, ExpiresIn: c.ExpiresIn})
			return true, err
		})
	})
	if err == nil {
		fmt.Println(plaintext)
	}
	return err
}

type tokenListCommand struct {
	database

	Workspace string `help:"Slug of the workspace." required:""`
}

// Run implements the command.
func (c *tokenListCommand) Run(ctx context.Context) error {
	return inWorkspace(ctx, c.database, c.Workspace, func(tokens workspaceTokens) error {
		rows, err := tokens.List(ctx, tokens.space)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tTOKEN\tSCOPES\tLAST USED\tEXPIRES\tREVOKED")
		for _, listed := range rows {
			row := listed.APIToken
			fmt.Fprintf(w, "%s\t%s\t%s…%s\t%s\t%s\t%s\t%s\n", row.ID, row.Name, token.Prefix, row.LastFour,
				strings.Join(row.Scopes, ","), when(row.LastUsedAt), when(row.ExpiresAt), when(row.RevokedAt))
		}
		return w.Flush()
	})
}

func when(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

type tokenRevokeCommand struct {
	database

	Workspace string `help:"Slug of the workspace." required:""`
	ID        string `arg:"" help:"ID of the token, from convo token list."`
}

// Run implements the command.
func (c *tokenRevokeCommand) Run(ctx context.Context) error {
	tokenID, err := uuid.Parse(c.ID)
	if err != nil {
		return fmt.Errorf("token ID: %w", err)
	}
	return inWorkspace(ctx, c.database, c.Workspace, func(tokens workspaceTokens) error {
		return tokens.recorded(ctx, "api_token.revoked", tokenID.String(), func(ctx context.Context, on postgres.Conn) (bool, error) {
			revoked, err := tokens.Revoke(ctx, on, tokens.space, tokenID)
			if err == nil && !revoked {
				err = errors.New("the workspace has no active token with this ID")
			}
			return revoked, err
		})
	})
}

// workspaceTokens are the tokens of one workspace.
type workspaceTokens struct {
	*token.Service

	space uuid.UUID
	log   *audit.Log
}

// recorded makes a change and records it in the audit log, in one transaction.
func (t workspaceTokens) recorded(ctx context.Context, action, target string, change func(context.Context, postgres.Conn) (bool, error)) error {
	entry := audit.Entry{WorkspaceID: t.space, ActorType: audit.System, ActorName: "command line", Action: action, Target: target}
	return t.log.Do(ctx, entry, change)
}

// inWorkspace opens the database and calls do with the tokens of a workspace.
func inWorkspace(ctx context.Context, from database, slug string, do func(workspaceTokens) error) error {
	on, err := from.open(ctx, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	ids := id.NewGenerator(clock.System{})
	space, err := (&workspace.Service{DB: on, IDs: ids}).BySlug(ctx, slug)
	if err != nil {
		return err
	}
	tokens := &token.Service{DB: on, IDs: ids, Clock: clock.System{}}
	return do(workspaceTokens{tokens, space.ID, &audit.Log{DB: on, IDs: ids}})
}
