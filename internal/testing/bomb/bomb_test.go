package bomb_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/bomb"
)

// TestBombsAreValidFiles unpacks them: a file that is damaged would be refused for that.
func TestBombsAreValidFiles(t *testing.T) {
	t.Parallel()
	packed, err := gzip.NewReader(bytes.NewReader(bomb.Gzip(t, 3)))
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, packed)
	require.NoError(t, err)
	require.Equal(t, int64(3<<20), n)
	content := bomb.Zip(t, 3, "a", "b")
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	require.Len(t, archive.File, 2)
	for _, file := range archive.File {
		part, err := file.Open()
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, part)
		require.NoError(t, err)
		require.Equal(t, int64(3<<20), n)
	}
}
