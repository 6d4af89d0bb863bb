package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

type workspaceCommand struct {
	Create   workspaceCreateCommand   `cmd:"" help:"Create a workspace and print its ID."`
	List     workspaceListCommand     `cmd:"" help:"List the workspaces."`
	SetLimit workspaceSetLimitCommand `cmd:"" help:"Set the rate limit of a workspace."`

	SetKnowledgeScopes workspaceSetKnowledgeScopesCommand `cmd:"" help:"Set whether changes to the knowledge of a workspace need a scope."`
}

type workspaceCreateCommand struct {
	database

	Slug string `help:"Short name for commands: 1 to 63 lowercase letters, digits and hyphens." required:""`
	Name string `help:"Display name." required:""`
}

// Run implements the command.
func (c *workspaceCreateCommand) Run(ctx context.Context) error {
	return withWorkspaces(ctx, c.database, func(spaces *workspace.Service) error {
		row, err := spaces.Create(ctx, c.Slug, c.Name)
		if err != nil {
			return err
		}
		fmt.Println(row.ID)
		return nil
	})
}

type workspaceSetLimitCommand struct {
	database

	Slug      string `help:"Slug of the workspace." required:""`
	PerMinute int32  `help:"Requests per minute for each route. 0 restores the default from the OpenAPI document." required:""`
}

// Run implements the command.
func (c *workspaceSetLimitCommand) Run(ctx context.Context) error {
	return withWorkspaces(ctx, c.database, func(spaces *workspace.Service) error {
		return spaces.SetRateLimit(ctx, c.Slug, c.PerMinute)
	})
}

type workspaceSetKnowledgeScopesCommand struct {
	database

	Slug    string `help:"Slug of the workspace." required:""`
	Require string `enum:"on,off" help:"on: uploads, crawls and other changes to knowledge need the scope agents:write. off: any token may make them, which is the default." required:""`
}

// Run implements the command.
func (c *workspaceSetKnowledgeScopesCommand) Run(ctx context.Context) error {
	return withWorkspaces(ctx, c.database, func(spaces *workspace.Service) error {
		return spaces.RequireScopesForKnowledge(ctx, c.Slug, c.Require == "on")
	})
}

type workspaceListCommand struct{ database }

// Run implements the command.
func (c *workspaceListCommand) Run(ctx context.Context) error {
	return withWorkspaces(ctx, c.database, func(spaces *workspace.Service) error {
		rows, err := spaces.List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tSLUG\tNAME\tCREATED")
		for _, row := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.ID, row.Slug, row.Name, when(&row.CreatedAt))
		}
		return w.Flush()
	})
}

func withWorkspaces(ctx context.Context, from database, do func(*workspace.Service) error) error {
	on, err := from.open(ctx, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	return do(&workspace.Service{DB: on, IDs: id.NewGenerator(clock.System{})})
}
