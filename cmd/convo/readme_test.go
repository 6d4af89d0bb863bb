package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// readDocs returns the published Markdown files by path.
func readDocs(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "sdk/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, path := range found {
			relative, err := filepath.Rel(root, path)
			require.NoError(t, err)
			paths = append(paths, relative)
		}
	}
	all := make(map[string]string, len(paths))
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		all[path] = string(content)
	}
	require.Greater(t, len(all), 10)
	return all
}

func TestReadmeShowsTheTwoCommands(t *testing.T) {
	t.Parallel()
	docs := readDocs(t)
	require.Regexp(t, "(?m)^make run .*\nmake test .*$", docs["README.md"])
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	targets := regexp.MustCompile("(?m)^[a-z-]+:").FindAllString(string(makefile), -1)
	for path, text := range docs {
		for _, target := range regexp.MustCompile("(?m)^make ([a-z-]+)|`make ([a-z-]+)`").FindAllStringSubmatch(text, -1) {
			require.Contains(t, targets, target[1]+target[2]+":", "%s: %s", path, target[0])
		}
	}
}

var relativeLink = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

func TestDocsLinkToExistingFiles(t *testing.T) {
	t.Parallel()
	for path, text := range readDocs(t) {
		for _, link := range relativeLink.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join(root, filepath.Dir(path), link[1]))
			require.NoError(t, err, path)
		}
	}
}

var commandLine = regexp.MustCompile("(?m)^convo (.+)$|`convo ([^`]+)`")

// TestDocsUseExistingCommands parses every command line in the documentation. Short
// mentions, such as `convo user`, only name a command.
func TestDocsUseExistingCommands(t *testing.T) {
	t.Parallel()
	parser := newParser(t)
	seen := 0
	for path, text := range readDocs(t) {
		for _, line := range commandLine.FindAllStringSubmatch(text, -1) {
			whole, _, _ := strings.Cut(line[1], " #")
			if whole == "" {
				require.True(t, isCommand(parser.Model.Node, strings.Fields(line[2])), "%s: %s", path, line[0])
				continue
			}
			_, err := parser.Parse(strings.Fields(whole))
			require.NoError(t, err, "%s: %s", path, line[0])
			seen++
		}
	}
	require.Positive(t, seen)
}

// isCommand reports whether words begin with the name of a command or of a group. Hidden
// commands are included, because decision records mention them.
func isCommand(node *kong.Node, words []string) bool {
	for _, child := range node.Children {
		if child.Name == words[0] {
			return true
		}
	}
	return words[0] == "COMMAND"
}

func newParser(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("convo"), kong.Vars{"storage": "x", "ops": "y"}, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	require.NoError(t, err)
	return parser
}

func TestDescribeListsCommandsAndSettings(t *testing.T) {
	t.Parallel()
	byName := map[string]commandDescription{}
	for _, one := range describe(newParser(t).Model) {
		require.NotEmpty(t, one.Help, one.Name)
		for _, flag := range one.Flags {
			require.NotEmpty(t, flag.Help, "%s --%s", one.Name, flag.Name)
		}
		byName[one.Name] = one
	}
	require.Contains(t, byName, "convo token create")
	require.NotContains(t, byName, "convo extract", "hidden")
	require.Equal(t, "direction", byName["convo migrate"].Arguments[0].Name)
	require.Contains(t, byName["convo serve"].Flags, flagDescription{
		Name: "addr", Env: []string{"CONVO_ADDR"}, Help: "Address to listen on.", Default: "127.0.0.1:8080",
	})
}
