package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

type userListCommand struct {
	database

	Workspace string `help:"Slug of a workspace, to list only its members."`
}

// Run implements the command.
func (c *userListCommand) Run(ctx context.Context) error {
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, spaces *workspace.Service) error {
		if c.Workspace != "" {
			if _, err := spaces.BySlug(ctx, c.Workspace); err != nil {
				return err
			}
		}
		rows, err := users.List(ctx, c.Workspace)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "EMAIL\tNAME\tWORKSPACES\tCREATED")
		for _, row := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Email, row.Name, strings.Join(row.Workspaces, ","), when(&row.CreatedAt))
		}
		return w.Flush()
	}, "", false)
}

type userRemoveCommand struct {
	database

	Email     string   `help:"Email address of the user." required:""`
	Workspace []string `help:"Slug of a workspace to remove the user from, also if no other member is left. Repeatable." required:"" xor:"scope"`
	Delete    bool     `help:"Delete the user entirely. Tokens that they created stay valid." required:"" xor:"scope"`
}

// Run implements the command.
func (c *userRemoveCommand) Run(ctx context.Context) error {
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, spaces *workspace.Service) error {
		row, err := users.ByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		workspaceIDs, err := c.from(ctx, users, spaces, row.ID)
		if err != nil {
			return err
		}
		log := &audit.Log{DB: users.DB, IDs: id.NewGenerator(clock.System{})}
		return postgres.WithTx(ctx, users.DB, func(ctx context.Context, tx postgres.Tx) error {
			for _, workspaceID := range workspaceIDs {
				if err := users.Remove(ctx, tx, workspaceID, row.ID); err != nil {
					return err
				}
				entry := audit.Entry{WorkspaceID: workspaceID, ActorType: audit.System, ActorName: "command line", Action: "member.removed", Target: row.Email}
				if err := log.Record(ctx, tx, entry); err != nil {
					return err
				}
			}
			if c.Delete {
				return users.Delete(ctx, tx, row.ID)
			}
			return nil
		})
	}, "", false)
}

// from returns the workspaces to remove a user from.
func (c *userRemoveCommand) from(ctx context.Context, users *user.Service, spaces *workspace.Service, userID uuid.UUID) ([]uuid.UUID, error) {
	if !c.Delete {
		return bySlugs(ctx, spaces, c.Workspace)
	}
	rows, err := users.Workspaces(ctx, userID)
	if err != nil {
		return nil, err
	}
	workspaceIDs := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		workspaceIDs[i] = row.ID
	}
	return workspaceIDs, nil
}
