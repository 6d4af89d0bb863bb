package extract_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
)

const maxChunk = 1200 // characters

func chunks(text string) (texts []string) {
	for _, chunk := range extract.Chunks(extract.Document{Sections: []extract.Section{{Text: text}}}) {
		texts = append(texts, chunk.Text)
	}
	return texts
}

func TestChunksAreAsLongAsAllowed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []int // characters of each chunk
	}{
		"empty":                 {"", nil},
		"spaces":                {" \n\t ", nil},
		"exactly the limit":     {strings.Repeat("x", maxChunk), []int{maxChunk}},
		"one more":              {strings.Repeat("x", maxChunk+1), []int{maxChunk, 1}},
		"characters, not bytes": {strings.Repeat("ł", maxChunk), []int{maxChunk}},
		"emoji":                 {strings.Repeat("😀", maxChunk+1), []int{maxChunk, 1}},
		"split at a space":      {strings.Repeat("x", 1000) + " " + strings.Repeat("y", 1000), []int{1000, 1000}},
		"two that fit":          {strings.Repeat("x", 598) + ". " + strings.Repeat("Y", 599) + ".", []int{maxChunk}},
		"two that do not fit":   {strings.Repeat("x", 600) + ". " + strings.Repeat("Y", 600) + ".", []int{601, 601}},
	} {
		var got []int
		for _, text := range chunks(test.text) {
			got = append(got, utf8.RuneCountInString(text))
		}
		require.Equal(t, test.want, got, name)
	}
}

func TestChunksDoNotCrossHeadingsAndPages(t *testing.T) {
	t.Parallel()
	got := extract.Chunks(extract.Document{Sections: []extract.Section{
		{Heading: "Returns", Text: "One."}, {Heading: "Prices", Text: "Two."}, {Heading: "Empty", Text: "  "}, {Page: 1, Text: "Three."}, {Page: 2, Text: "Four."},
	}})
	require.Equal(t, []extract.Passage{
		{Heading: "Returns", Text: "One."}, {Heading: "Prices", Text: "Two."}, {Page: 1, Text: "Three."}, {Page: 2, Text: "Four."},
	}, got)
}

// FuzzChunks requires that no character is lost or repeated, and that no chunk is longer
// than the limit.
func FuzzChunks(f *testing.F) {
	f.Add(strings.Repeat("Dr. Nowak paid 3.50 zł. ", 100))
	f.Add(strings.Repeat("x", 5000))
	f.Add(strings.Repeat("👩‍👩‍👧 ", 700) + "\n\n" + strings.Repeat("ł", 1300))
	f.Fuzz(func(t *testing.T, text string) {
		got := chunks(text)
		for _, chunk := range got {
			require.NotEmpty(t, strings.TrimSpace(chunk))
			require.LessOrEqual(t, utf8.RuneCountInString(chunk), maxChunk)
		}
		require.Equal(t, strings.Join(strings.Fields(text), ""), strings.Join(strings.Fields(strings.Join(got, "")), ""))
	})
}
