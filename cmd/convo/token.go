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
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/clock"
	"github.com/avelto/convo/internal/id"
	"github.com/avelto/convo/internal/postgres"
	"github.com/avelto/convo/internal/token"
	"github.com/avelto/convo/internal/workspace"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Create a token and print its plaintext, once."`
	List   tokenListCommand   `cmd:"" help:"List the tokens of a workspace."`
	Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token."`
}

type tokenCreateCommand struct {
	database

	Workspace string         `help:"Slug of the workspace." required:""`
	Name      string         `help:"What the token is for." required:""`
	Scope     []string       `help:"A scope, such as leads:read; may be repeated." required:""`
	ExpiresIn *time.Duration `help:"Life of the token, such as 720h. It does not expire when left out."`
}

// Run implements the command.
func (c *tokenCreateCommand) Run(ctx context.Context) error {
	return inWorkspace(ctx, c.database, c.Workspace, func(tokens *token.Service, space db.Workspace) error {
		scopes := make([]api.Scope, len(c.Scope))
		for i, scope := range c.Scope {
			scopes[i] = api.Scope(scope)
		}
		plaintext, _, err := tokens.Create(ctx, token.NewToken{WorkspaceID: space.ID, Name: c.Name, Scopes: scopes, ExpiresIn: c.ExpiresIn})
		if err != nil {
			return err
		}
		fmt.Println(plaintext)
		return nil
	})
}

type tokenListCommand struct {
	database

	Workspace string `help:"Slug of the workspace." required:""`
}

// Run implements the command.
func (c *tokenListCommand) Run(ctx context.Context) error {
	return inWorkspace(ctx, c.database, c.Workspace, func(tokens *token.Service, space db.Workspace) error {
		rows, err := tokens.List(ctx, space.ID)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tTOKEN\tSCOPES\tLAST USED\tEXPIRES\tREVOKED")
		for _, row := range rows {
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
	ID        string `arg:"" help:"Id of the token, see convo token list."`
}

// Run implements the command.
func (c *tokenRevokeCommand) Run(ctx context.Context) error {
	tokenID, err := uuid.Parse(c.ID)
	if err != nil {
		return fmt.Errorf("token id: %w", err)
	}
	return inWorkspace(ctx, c.database, c.Workspace, func(tokens *token.Service, space db.Workspace) error {
		revoked, err := tokens.Revoke(ctx, space.ID, tokenID)
		if err != nil {
			return err
		}
		if !revoked {
			return errors.New("no live token of this id in the workspace")
		}
		return nil
	})
}

func inWorkspace(ctx context.Context, from database, slug string, do func(*token.Service, db.Workspace) error) error {
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
	return do(&token.Service{DB: on, IDs: ids, Clock: clock.System{}}, space)
}
