package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/spec"
)

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	return string(content)
}

func TestReadmeListsEverySetting(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{})
	require.NoError(t, err)
	text, seen := readme(t), 0
	for _, command := range parser.Model.Children {
		require.Contains(t, text, "`convo "+command.Name)
		for _, flag := range command.Flags {
			for _, variable := range flag.Envs {
				require.Contains(t, text, "| `"+variable+"` |")
				seen++
			}
		}
	}
	require.Positive(t, seen)
}

func TestReadmeSaysWhichOperationsAreServed(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	text := readme(t)
	for _, operation := range document.Operations {
		scope, status := string(operation.Scope), "served"
		if operation.Public {
			scope = "public"
		} else if scope == "" {
			scope = "any token"
		}
		if operation.Stub {
			status = "501 for now"
		}
		require.Contains(t, text, fmt.Sprintf("| `%s` | `%s` | %s | %s |", operation.Route(), operation.ID, scope, status))
	}
}
