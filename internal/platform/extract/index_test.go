package extract_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/cost"
	"github.com/avelto/convo/internal/testing/reader"
)

func index(t *testing.T, kind extract.Kind, text string) extract.Index {
	t.Helper()
	got, err := newRunner(t).Read(t.Context(), kind, strings.NewReader(text))
	require.NoError(t, err)
	return got
}

func TestPassagesHaveStemsInTheirLanguage(t *testing.T) {
	t.Parallel()
	polish := strings.Repeat("Buty można zwrócić w ciągu trzydziestu dni, jeżeli są czyste. ", 5)
	got := index(t, extract.Markdown, "# Returned shoes\n\nCustomers can return shoes within thirty days, if they are clean.\n\n# Zwroty\n\n"+polish)
	require.Equal(t, []string{"Returned shoes", "Zwroty"}, []string{got.Passages[0].Heading, got.Passages[1].Heading})
	require.Equal(t, "return shoe", got.Passages[0].HeadingStems)
	require.Equal(t, "custom can return shoe within thirti day clean", got.Passages[0].Stems)
	require.Contains(t, got.Passages[1].Stems, "zwroc")
	require.Len(t, got.Hash, 32)
	require.NotEqual(t, got.Hash, index(t, extract.Text, polish).Hash)
}

func TestLongHeadingsAreCut(t *testing.T) {
	t.Parallel()
	got := index(t, extract.Markdown, "# "+strings.Repeat("ł", 5000)+"\n\ntext")
	require.Equal(t, strings.Repeat("ł", 300), got.Passages[0].Heading)
}

func TestTextOfTooManyPassagesIsRefused(t *testing.T) {
	t.Parallel()
	for passages, code := range map[int]extract.Code{20_000: "", 20_001: extract.TooLarge} {
		_, err := newRunner(t).Read(t.Context(), extract.Markdown, strings.NewReader(strings.Repeat("# a\n\nb\n\n", passages)))
		if code == "" {
			require.NoError(t, err)
			continue
		}
		var blame *extract.Error
		require.ErrorAs(t, err, &blame)
		require.Equal(t, code, blame.Code)
		require.Equal(t, "It has more than 20000 passages.", blame.Message)
	}
}

// readFile is what a server does with an uploaded file.
func readFile(path string) string {
	program, err := reader.Path()
	if err != nil {
		return err.Error()
	}
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	got, err := (&extract.Runner{Binary: program}).Read(context.Background(), extract.Text, file)
	if err != nil {
		return err.Error()
	}
	stemmed := 0
	for _, one := range got.Passages {
		if one.Stems != "" {
			stemmed++
		}
	}
	return strconv.Itoa(stemmed)
}

// TestIndexingCostsTheServerLittle reads 2 MiB of text: splitting and stemming it takes a
// second or more, in the reader process.
func TestIndexingCostsTheServerLittle(t *testing.T) {
	t.Parallel()
	const sentence = "Customers can return shoes within thirty days if they are clean. "
	warm, work := filepath.Join(t.TempDir(), "warm"), filepath.Join(t.TempDir(), "work")
	require.NoError(t, os.WriteFile(warm, []byte(sentence), 0o600))
	require.NoError(t, os.WriteFile(work, []byte(strings.Repeat(sentence, (2<<20)/len(sentence))), 0o600))
	cost.Require(t, warm, work, "1793", cost.Limit(32<<20, 150*time.Millisecond))
}
