package reply

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/agent/tools"
)

// TestDraftsShowWhatRepliesMayHave: a draft has neither addresses nor marks of unknown
// passages, also while they are only partly written.
func TestDraftsShowWhatRepliesMayHave(t *testing.T) {
	t.Parallel()
	session := tools.NewSession(func(context.Context, string) ([]tools.Passage, error) {
		return []tools.Passage{{Title: "Delivery", Text: "We deliver to Norway."}}, nil
	})
	_, err := session.Find(t.Context(), "delivery")
	require.NoError(t, err)
	for written, shown := range map[string]string{
		"We":                                  "",
		"We deliver":                          "We",
		"We deliver to Norway [1] and":        "We deliver to Norway [1]",
		"We deliver [7] to ":                  "We deliver to",
		"See https://evil.exam":               "See",
		"See https://evil.example/x now ":     "See now",
		"See [our page":                       "See",
		"See [our page](https://evil.example": "See",
		"See [our page](https://e.example) a": "See our page",
	} {
		require.Equal(t, shown, draftOf(written, session), written)
	}
}
