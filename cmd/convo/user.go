package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

type userCommand struct {
	Create   userCreateCommand   `cmd:"" help:"Create somebody who can sign in, and print a password unless one is given."`
	Join     userJoinCommand     `cmd:"" help:"Let a user into a workspace."`
	Password userPasswordCommand `cmd:"" help:"Give a user another password, and end their sessions."`
}

// password is where a password comes from.
type password struct {
	PasswordStdin bool `help:"Read the password from standard input; else one is made and printed."`
}

// choose returns the password, and whether it has to be printed.
func (p password) choose(in io.Reader) (text string, made bool, err error) {
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

	Email     string   `help:"E-mail address, to sign in with." required:""`
	Name      string   `help:"Name, as the audit log shows it." required:""`
	Workspace []string `help:"Slug of a workspace to enter; may be repeated." required:""`
}

// Run implements the command.
func (c *userCreateCommand) Run(ctx context.Context) error {
	text, made, err := c.choose(os.Stdin)
	if err != nil {
		return err
	}
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, spaces *workspace.Service) error {
		// All or nothing: a user without a workspace would be in the way of the next try.
		return postgres.WithTx(ctx, users.DB, func(ctx context.Context, _ pgx.Tx) error {
			row, err := users.Create(ctx, user.New{Email: c.Email, Name: c.Name, Password: text})
			if err != nil {
				return err
			}
			return join(ctx, users, spaces, row, c.Workspace)
		})
	}, text, made)
}

func join(ctx context.Context, users *user.Service, spaces *workspace.Service, row db.User, slugs []string) error {
	for _, slug := range slugs {
		space, err := spaces.BySlug(ctx, slug)
		if err != nil {
			return err
		}
		if err := users.Join(ctx, row.ID, space.ID); err != nil {
			return err
		}
	}
	return nil
}

type userJoinCommand struct {
	database

	Email     string   `help:"E-mail address of the user." required:""`
	Workspace []string `help:"Slug of a workspace to enter; may be repeated." required:""`
}

// Run implements the command.
func (c *userJoinCommand) Run(ctx context.Context) error {
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, spaces *workspace.Service) error {
		row, err := users.ByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		return join(ctx, users, spaces, row, c.Workspace)
	}, "", false)
}

type userPasswordCommand struct {
	database
	password

	Email string `help:"E-mail address of the user." required:""`
}

// Run implements the command.
func (c *userPasswordCommand) Run(ctx context.Context) error {
	text, made, err := c.choose(os.Stdin)
	if err != nil {
		return err
	}
	return withUsers(ctx, c.database, func(ctx context.Context, users *user.Service, _ *workspace.Service) error {
		row, err := users.ByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		return users.SetPassword(ctx, row.ID, text)
	}, text, made)
}

// withUsers opens the database, and prints a password that was made once it is in
// force.
func withUsers(ctx context.Context, from database, do func(context.Context, *user.Service, *workspace.Service) error, text string, made bool) error {
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
	if made {
		fmt.Println(text)
	}
	return nil
}
