package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNextPageLinkKeepsQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                         "cursor=C",
		"limit=5":                  "limit=5&cursor=C",
		"cursor=old&limit=5":       "limit=5&cursor=C",
		"limit=5&cursor=old":       "limit=5&cursor=C",
		"%63ursor=old&limit=5":     "limit=5&cursor=C",
		"&sort=score&&limit=5&":    "sort=score&limit=5&cursor=C",
		"tagIds=a%2Cb&cursor=old":  "tagIds=a%2Cb&cursor=C",
		"status=WON&cursor=a%2Bb&": "status=WON&cursor=C",
	} {
		require.Equal(t, want, replaced(raw, "cursor", "C"), raw)
	}
}
