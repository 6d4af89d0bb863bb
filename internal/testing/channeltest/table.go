package channeltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
)

// resultsFile is where the results of a type are, in its package.
const resultsFile = "testdata/conformance.json"

// Report is what a channel type was tested for.
type Report struct {
	Type    api.ChannelType `json:"type"`
	Promise string          `json:"promise"`
	Rows    []Result        `json:"rows"`
}

// Result is the result of a row, or why it does not apply.
type Result struct {
	Property Property `json:"property"`
	Result   string   `json:"result,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// compare requires that the results are those in the file, or rewrites it.
func (r Report) compare(t *testing.T) {
	t.Helper()
	writeOrCompare(t, resultsFile, indented(t, r))
}

func indented(t *testing.T, value any) []byte {
	t.Helper()
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(value))
	return encoded.Bytes()
}

func writeOrCompare(t *testing.T, path string, content []byte) {
	t.Helper()
	const directories, files = 0o755, 0o644
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), directories))
		require.NoError(t, os.WriteFile(path, content, files))
		return
	}
	stored, err := os.ReadFile(path)
	require.NoError(t, err, "run make conformance")
	require.Equal(t, string(stored), string(content), "if this is intended, run make conformance")
}

// Table is the table of all types in Markdown. Each type must have each row.
func Table(reports []Report) (string, error) {
	var out strings.Builder
	out.WriteString("| |")
	for _, r := range reports {
		fmt.Fprintf(&out, " `%s` |", r.Type)
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(reports)) + "\n| **A message is sent** |")
	for _, r := range reports {
		fmt.Fprintf(&out, " **%s** |", r.Promise)
	}
	out.WriteString("\n")
	var notes []string
	for i, one := range rows {
		fmt.Fprintf(&out, "| %s |", one.property)
		for _, r := range reports {
			if len(r.Rows) != len(rows) || r.Rows[i].Property != one.property || r.Rows[i].Result+r.Rows[i].Reason == "" {
				return "", fmt.Errorf("%s lacks the row %q", r.Type, one.property)
			}
			cell := r.Rows[i].Result
			if cell == "" {
				cell = note(&notes, r.Rows[i].Reason)
			}
			fmt.Fprintf(&out, " %s |", cell)
		}
		out.WriteString("\n")
	}
	out.WriteString("\n")
	for i, reason := range notes {
		fmt.Fprintf(&out, "%d. %s\n", i+1, reason)
	}
	return out.String(), nil
}

// note returns a reference to a reason, which is added if it is new.
func note(notes *[]string, reason string) string {
	i := slices.Index(*notes, reason)
	if i < 0 {
		i = len(*notes)
		*notes = append(*notes, reason)
	}
	return fmt.Sprintf("– (%d)", i+1)
}
