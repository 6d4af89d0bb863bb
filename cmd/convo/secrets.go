package main

import (
	"context"
	"fmt"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/domain/secret"
	"github.com/avelto/convo/internal/platform/postgres"
)

type secretsCommand struct {
	Rotate secretsRotateCommand `cmd:"" help:"Encrypt all secrets in the database with the newest key of CONVO_SECRET_KEYS. Servers can keep running."`
}

type secretsRotateCommand struct {
	database
	secretKeys

	AcceptLost bool `help:"Continue if no key opens a secret. Its webhook, channel or model provider reports an error until the secret is replaced."`
}

// Run implements the command.
func (c *secretsRotateCommand) Run(ctx context.Context) error {
	key, older, err := app.ParseKeys(c.SecretKey, c.SecretKeys)
	if err != nil {
		return err
	}
	box, err := app.NewBox(key, older...)
	if err != nil {
		return err
	}
	on, err := c.open(ctx, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	done, err := (&secret.Store{DB: on, Box: box}).Rotate(ctx, c.AcceptLost)
	if err != nil {
		return err
	}
	fmt.Printf("The secrets of %d webhooks, %d channels and %d model providers are encrypted with the newest key.\n",
		done.Webhooks.Resealed, done.Channels.Resealed, done.ModelProviders.Resealed)
	if done.Webhooks.Lost > 0 {
		fmt.Printf("The secrets of %d webhooks can't be decrypted: rotate them.\n", done.Webhooks.Lost)
	}
	if done.Channels.Lost > 0 {
		fmt.Printf("The credentials of %d channels can't be decrypted: set them again.\n", done.Channels.Lost)
	}
	if done.ModelProviders.Lost > 0 {
		fmt.Printf("The keys of %d model providers can't be decrypted: set them again.\n", done.ModelProviders.Lost)
	}
	return nil
}
