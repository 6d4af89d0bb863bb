package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

type userCommand struct {
	Create   userCreateCommand   `cmd:"" help:"Create a user who can sign in to the console. Prints a generated password unless --password-stdin is set."`
	Join     userJoinCommand     `cmd:"" help:"Add a user to a workspace."`
	Password userPasswordCommand `cmd:"" help:"Change a user's password and end their sessions."`
	List     userListCommand     `cmd:"" help:"List the users and their workspaces."`
	Remove   userRemoveCommand   `cmd:"" help:"Remove a user from workspaces, or delete the user, and end their sessions."`
}

// password holds the flag that selects where a password comes from.
type password struct {
	PasswordStdin bool `help:"Read the password from standard input instead of generating one."`
}

// choose returns the password. generated reports whether it must be printed.
func (p password) choose(in io.Reader) (text string, generated bool, err error) {
	if !p.PasswordStdin {
		return user.NewPassword(), true, nil
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), false, nil
}

type userCreateCommand struct {
	database
	password

	Email     string   `help:"Email address for signing in." required:""`
	Name      string   `help:"Name to show in the audit log." required:""`
	Workspace []string `help:"Slug of a workspace to add the user to. Repeatable." required:""`
}

// Run implements the command.
func (c *userCreateCommand) Run(ctx context.Context) error {
	text, generated, err := c.choose(os.Stdin)
	if err != nil {
		return err
	}
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, spaces *workspace.Service) error {
		workspaceIDs, err := bySlugs(ctx, spaces, c.Workspace)
		if err != nil {
			return err
		}
		_, err = users.Create(ctx, user.New{Email: c.Email, Name: c.Name, Password: text}, workspaceIDs...)
		return err
	}, text, generated)
}

// bySlugs returns the ids of workspaces.
func bySlugs(ctx context.Context, spaces *workspace.Service, slugs []string) ([]uuid.UUID, error) {
	workspaceIDs := make([]uuid.UUID, len(slugs))
	for i, slug := range slugs {
		space, err := spaces.BySlug(ctx, slug)
		if err != nil {
			return nil, err
		}
		workspaceIDs[i] = space.ID
	}
	return workspaceIDs, nil
}

type userJoinCommand struct {
	database

	Email     string   `help:"Email address of the user." required:""`
	Workspace []string `help:"Slug of a workspace to add the user to. Repeatable." required:""`
}

// Run implements the command.
func (c *userJoinCommand) Run(ctx context.Context) error {
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, spaces *workspace.Service) error {
		row, err := users.ByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		workspaceIDs, err := bySlugs(ctx, spaces, c.Workspace)
		if err != nil {
			return err
		}
		return users.Join(ctx, row.ID, workspaceIDs...)
	}, "", false)
}

type userPasswordCommand struct {
	database
	password

	Email string `help:"Email address of the user." required:""`
}

// Run implements the command.
func (c *userPasswordCommand) Run(ctx context.Context) error {
	text, generated, err := c.choose(os.Stdin)
	if err != nil {
		return err
	}
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, _ *workspace.Service) error {
		row, err := users.ByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		return users.SetPassword(ctx, row.ID, text)
	}, text, generated)
}

// withUsers opens the database and calls do. If do succeeds, it prints a generated
// password.
func withUsers(ctx context.Context, from database, do func(context.Context, *user.Service, *workspace.Service) error, text string, generated bool) error {
	on, err := from.open(ctx, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	ids := id.NewGenerator(clock.System{})
	users := &user.Service{DB: on, IDs: ids, Clock: clock.System{}, Hasher: user.NewHasher()}
	if err := do(ctx, users, &workspace.Service{DB: on, IDs: ids}); err != nil {
		return err
	}
	if generated {
		fmt.Println(text)
	}
	return nil
}
