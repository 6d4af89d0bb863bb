package seal_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/seal"
)

func TestSecretsOpenOnlyInTheirPlace(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{1}, 32)
	box, err := seal.New(key, "secrets")
	require.NoError(t, err)
	sealed := box.Seal("wh_secret", []byte("here"))
	require.NotContains(t, string(sealed), "secret")
	require.NotEqual(t, sealed, box.Seal("wh_secret", []byte("here")))
	opened, err := box.Open(sealed, []byte("here"))
	require.NoError(t, err)
	require.Equal(t, "wh_secret", opened)

	_, err = box.Open(sealed, []byte("there"))
	require.ErrorIs(t, err, seal.ErrBroken)
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		_, err = box.Open(altered, []byte("here"))
		require.ErrorIs(t, err, seal.ErrBroken, "byte %d", i)
	}
	for n := range sealed {
		_, err = box.Open(sealed[:n], []byte("here"))
		require.ErrorIs(t, err, seal.ErrBroken)
	}
	for _, other := range []struct {
		key     []byte
		purpose string
	}{{bytes.Repeat([]byte{2}, 32), "secrets"}, {key, "something else"}} {
		another, err := seal.New(other.key, other.purpose)
		require.NoError(t, err)
		_, err = another.Open(sealed, []byte("here"))
		require.ErrorIs(t, err, seal.ErrBroken)
	}
}
