package extract_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
)

// module returns the directory of a dependency, whose test files are read.
func module(t *testing.T, path string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(said))
}

// TestRealFiles reads the test files of dependencies: each must be read or rejected.
func TestRealFiles(t *testing.T) {
	t.Parallel()
	for _, set := range []struct {
		module, pattern string
		kind            extract.Kind
		most, readable  int
	}{
		{"github.com/klippa-app/go-pdfium", "shared_tests/testdata/*.pdf", extract.PDF, 40, 5},
		{"codeberg.org/readeck/go-readability/v2", "test-pages/*/source.html", extract.HTML, 60, 50},
		{"github.com/yuin/goldmark", "*.md", extract.Markdown, 10, 1},
	} {
		files, err := filepath.Glob(filepath.Join(module(t, set.module), set.pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, set.pattern)
		readable := 0
		for _, file := range files[:min(len(files), set.most)] {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			document, err := extract.Read(t.Context(), extract.Task{Kind: set.kind, Address: "https://example.com/"}, content)
			if err == nil {
				require.NotEmpty(t, extract.Chunks(document), file)
				readable++
				continue
			}
			var blame *extract.Error
			require.ErrorAs(t, err, &blame, file)
		}
		t.Logf("%s: %d of %d can be read", set.kind, readable, min(len(files), set.most))
		require.GreaterOrEqual(t, readable, set.readable, set.pattern)
	}
}

func TestPassagesEndWithSentencesAndKeepTheirHeading(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("This is a sentence about shoes of all sizes. ", 100)
	chunks := extract.Chunks(extract.Document{Sections: []extract.Section{{Heading: "Shoes", Text: long}, {Page: 3, Text: strings.Repeat("x", 3000)}}})
	var whole strings.Builder
	for _, chunk := range chunks {
		require.LessOrEqual(t, len(chunk.Text), 1200)
		if chunk.Page == 0 {
			require.Equal(t, "Shoes", chunk.Heading)
			require.True(t, strings.HasSuffix(chunk.Text, "."), chunk.Text)
			whole.WriteString(chunk.Text + " ")
		}
	}
	require.Equal(t, long, whole.String(), "nothing is lost")
	require.Equal(t, 3, chunks[len(chunks)-1].Page)
}

func FuzzReadNeverPanics(f *testing.F) {
	f.Add("# a\n\n| b | c |\n|---|---|\n| 1 | 2 |\n")
	f.Add("<h1>a<p>b<table><tr><td>c")
	f.Add("\xff\xfea\x00b\x00")
	f.Fuzz(func(t *testing.T, content string) {
		for _, kind := range []extract.Kind{extract.HTML, extract.Text, extract.Markdown, extract.DOCX} {
			document, err := extract.Read(t.Context(), extract.Task{Kind: kind}, []byte(content))
			if err == nil {
				extract.Chunks(document)
			}
		}
	})
}
