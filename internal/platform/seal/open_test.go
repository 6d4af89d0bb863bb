package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/seal"
)

func newBox(t *testing.T) *seal.Box {
	t.Helper()
	box, err := seal.New(bytes.Repeat([]byte{1}, 32), "secrets")
	require.NoError(t, err)
	return box
}

func TestSecretsOfEverySizeAreRestored(t *testing.T) {
	t.Parallel()
	box := newBox(t)
	for _, secret := range []string{"", "x", "zażółć 🔑", "\x00\xff not UTF-8", strings.Repeat("a", 1<<20)} {
		for _, place := range [][]byte{nil, {}, []byte("row 1")} {
			opened, err := box.Open(box.Seal(secret, place), place)
			require.NoError(t, err)
			require.Equal(t, secret, opened)
		}
	}
}

// TestAnyReplicaOpensASecret covers a restart, too: boxes with the same key and purpose
// are interchangeable.
func TestAnyReplicaOpensASecret(t *testing.T) {
	t.Parallel()
	sealed := newBox(t).Seal("wh_secret", []byte("here"))
	opened, err := newBox(t).Open(sealed, []byte("here"))
	require.NoError(t, err)
	require.Equal(t, "wh_secret", opened)
}

func TestOpenRejectsBytesThatWereNotSealed(t *testing.T) {
	t.Parallel()
	box := newBox(t)
	sealed := box.Seal("wh_secret", []byte("here"))
	for name, bad := range map[string][]byte{
		"nil":             nil,
		"plaintext":       []byte("wh_secret"),
		"version only":    {1},
		"unknown version": append([]byte{2}, sealed[1:]...),
		"extended":        append(bytes.Clone(sealed), 0),
		"sealed twice":    append([]byte{1}, sealed...),
		"random":          append([]byte{1}, bytes.Repeat([]byte{0xa5}, 60)...),
	} {
		secret, err := box.Open(bad, []byte("here"))
		require.ErrorIs(t, err, seal.ErrBroken, name)
		require.Empty(t, secret, name)
	}
}

// TestSealedBytesRevealNothing checks that neither the secret nor the fact that two
// secrets are equal can be read from the database.
func TestSealedBytesRevealNothing(t *testing.T) {
	t.Parallel()
	box := newBox(t)
	seen := map[string]bool{}
	for range 1000 {
		sealed := string(box.Seal("wh_secret", []byte("here")))
		require.False(t, seen[sealed], "a nonce was used twice")
		require.NotContains(t, sealed, "wh_")
		seen[sealed] = true
	}
}
