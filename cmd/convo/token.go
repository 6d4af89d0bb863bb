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
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
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
	err := inWorkspace(ctx, c.database, c.Workspace, func(ctx context.Context, tokens *token.Service, space db.Workspace) (audit.Entry, error) {
		var err error
		plaintext, _, err = tokens.Create(ctx, token.NewToken{WorkspaceID: space.ID, Name: c.Name, Scopes: scopes, ExpiresIn: c.ExpiresIn})
		return audit.Entry{Action: "api_token.created", Target: c.Name}, err
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
	return inWorkspace(ctx, c.database, c.Workspace, func(ctx context.Context, tokens *token.Service, space db.Workspace) (audit.Entry, error) {
		rows, err := tokens.List(ctx, space.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tTOKEN\tSCOPES\tLAST USED\tEXPIRES\tREVOKED")
		for _, listed := range rows {
			row := listed.APIToken
			fmt.Fprintf(w, "%s\t%s\t%s…%s\t%s\t%s\t%s\t%s\n", row.ID, row.Name, token.Prefix, row.LastFour,
				strings.Join(row.Scopes, ","), when(row.LastUsedAt), when(row.ExpiresAt), when(row.RevokedAt))
		}
		return audit.Entry{}, w.Flush()
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
	return inWorkspace(ctx, c.database, c.Workspace, func(ctx context.Context, tokens *token.Service, space db.Workspace) (audit.Entry, error) {
		revoked, err := tokens.Revoke(ctx, space.ID, tokenID)
		if err == nil && !revoked {
			err = errors.New("the workspace has no active token with this ID")
		}
		return audit.Entry{Action: "api_token.revoked", Target: tokenID.String()}, err
	})
}

// inWorkspace calls do in a transaction and records the audit entry that do returns in
// the same transaction. An entry without an action is not recorded.
func inWorkspace(ctx context.Context, from database, slug string, do func(context.Context, *token.Service, db.Workspace) (audit.Entry, error)) error {
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
	return postgres.WithTx(ctx, on, func(ctx context.Context, _ pgx.Tx) error {
		entry, err := do(ctx, &token.Service{DB: on, IDs: ids, Clock: clock.System{}}, space)
		if err != nil || entry.Action == "" {
			return err
		}
		entry.WorkspaceID, entry.ActorType, entry.ActorName = space.ID, audit.System, "command line"
		return (&audit.Log{DB: on, IDs: ids}).Record(ctx, entry)
	})
}
