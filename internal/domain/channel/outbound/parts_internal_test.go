package outbound

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

func TestTextIsCutAtWhiteSpace(t *testing.T) {
	t.Parallel()
	rules := provider.Rules{MaxLength: 10, Split: true}
	for text, want := range map[string][]string{
		"":                           nil,
		"short":                      {"short"},
		"exactly 10":                 {"exactly 10"},
		"one two three four":         {"one two", "three four"},
		"unbreakablelongword":        {"unbreakabl", "elongword"},
		"a unbreakablelongword":      {"a unbreaka", "blelongwor", "d"},
		strings.Repeat("🙂", 5):       {strings.Repeat("🙂", 5)},
		strings.Repeat("🙂", 6):       {strings.Repeat("🙂", 5), "🙂"},
		"a" + strings.Repeat("🙂", 5): {"a" + strings.Repeat("🙂", 4), "🙂"},
		"line one\n\nline two":       {"line one", "line two"},
	} {
		require.Equal(t, want, pieces(text, rules), text)
	}
	require.Equal(t, []string{"one two three four"}, pieces("one two three four", provider.Rules{MaxLength: 10}), "not split")
}

func TestPartsAreTheTextThenEachFile(t *testing.T) {
	t.Parallel()
	files := []provider.OutboundAttachment{{Name: "a"}, {Name: "b"}}
	parts := split("one two three four", files, provider.Rules{MaxLength: 10, Split: true})
	require.Len(t, parts, 4)
	require.Equal(t, "b", parts[3].attachments[0].Name)
	require.Len(t, split("", files, provider.Rules{}), 2, "no part for an empty text")
}

func FuzzPieces(f *testing.F) {
	f.Add("one two three", 5)
	f.Add("🙂🙂🙂", 3)
	f.Fuzz(func(t *testing.T, text string, most int) {
		text = strings.ToValidUTF8(text, "")
		if most < 2 || most > 5000 {
			return
		}
		var joined strings.Builder
		for _, piece := range pieces(text, provider.Rules{MaxLength: most, Split: true}) {
			require.LessOrEqual(t, len(utf16.Encode([]rune(piece))), most)
			joined.WriteString(piece)
		}
		strip := func(s string) string { return strings.Join(strings.Fields(s), "") }
		require.Equal(t, strip(text), strip(joined.String()), "nothing is lost")
	})
}

func TestFilesGoWithTheTextWhereTheProviderTakesThemTogether(t *testing.T) {
	t.Parallel()
	files := []provider.OutboundAttachment{{Name: "a.pdf"}, {Name: "b.pdf"}}
	parts := split("Here they are.", files, provider.Rules{Together: true, MaxLength: 4, Split: true})
	require.Equal(t, []part{{text: "Here they are.", attachments: files}}, parts)
}
