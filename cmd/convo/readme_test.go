package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
)

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	return string(content)
}

// has is require.Contains without the whole text in the message.
func has(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) { // require.Contains would print the whole text
		require.Fail(t, "README lacks this", "%s", part)
	}
}

func TestReadmeListsEverySetting(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{}, kong.Vars{"storage": "x"})
	require.NoError(t, err)
	text, seen := readme(t), 0
	for _, command := range parser.Model.Children {
		if command.Hidden {
			continue
		}
		has(t, text, "`convo "+command.Name)
		for _, flag := range command.Flags {
			for _, variable := range flag.Envs {
				has(t, text, "| `"+variable+"` |")
				seen++
			}
		}
	}
	require.Positive(t, seen)
}

func TestReadmeListsEveryOperation(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	text := readme(t)
	for _, operation := range document.Operations {
		scope := string(operation.Scope)
		if operation.Public {
			scope = "public"
		} else if scope == "" {
			scope = "any token"
		}
		has(t, text, fmt.Sprintf("| `%s` | `%s` | %s |", operation.Route(), operation.ID, scope))
	}
}
