package main

import (
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/app"
)

// secretWord stands for a password in the wrong variable or flag.
const secretWord = "postgres://u:secret-word@h"

// TestUsageErrorsDoNotContainValues sets each setting to something it cannot be.
func TestUsageErrorsDoNotContainValues(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Vars{"storage": app.DefaultStorage, "ops": app.DefaultOpsAddr})
	require.NoError(t, err)
	refused := 0
	for _, name := range variables(parser.Model.Node) {
		t.Setenv(name, secretWord)
		for _, command := range []string{"serve", "work", "dev", "listen", "migrate", "seed"} {
			if _, err := parser.Parse([]string{command}); err != nil && strings.Contains(err.Error(), "secret-word") {
				refused++
				require.NotContains(t, withoutValues(err, parser.Model).Error(), "secret", "%s: %v", name, err)
			}
		}
		require.NoError(t, os.Unsetenv(name))
	}
	require.Greater(t, refused, 20)
	for _, flag := range []string{
		"--database-conns=", "--request-timeout=", "--log-level=", "--database-pooler=", "--workers=", "--webhook-retries=", "--no-workers=", "-",
	} {
		_, err := parser.Parse([]string{"serve", flag + secretWord})
		require.Error(t, err, flag)
		require.NotContains(t, withoutValues(err, parser.Model).Error(), "secret", "%s: %v", flag, err)
	}
	t.Setenv("CONVO_DATABASE_CONNS", secretWord)
	_, err = parser.Parse([]string{"serve"})
	require.EqualError(t, withoutValues(err, parser.Model), "CONVO_DATABASE_CONNS: --database-conns: expected a valid 32 bit int")
}
