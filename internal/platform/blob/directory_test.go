package blob_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/blob"
)

// newDirectory returns an empty store and its directory.
func newDirectory(t *testing.T) (store blob.Store, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "deep", "files")
	store, err := blob.Directory(dir)
	require.NoError(t, err)
	return store, dir
}

func content(t *testing.T, store blob.Store, key string) string {
	t.Helper()
	file, err := store.Open(t.Context(), key)
	require.NoError(t, err)
	defer file.Close()
	read, err := io.ReadAll(file)
	require.NoError(t, err)
	return string(read)
}

// files lists every file below a directory.
func files(t *testing.T, dir string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return found
}

func TestDirectoryKeepsFilesOfEverySizeAndDepth(t *testing.T) {
	t.Parallel()
	store, dir := newDirectory(t)
	for key, want := range map[string]string{"top": "x", "a/b/c/d": "", "a/b/e": strings.Repeat("y", 1<<20)} {
		require.NoError(t, store.Put(t.Context(), key, strings.NewReader(want), int64(len(want))))
		require.Equal(t, want, content(t, store, key))
	}
	again, err := blob.Directory(dir)
	require.NoError(t, err)
	require.Equal(t, "x", content(t, again, "top"), "files outlive the process")
}

func TestDirectoryRejectsKeysOutsideIt(t *testing.T) {
	t.Parallel()
	store, dir := newDirectory(t)
	outside := filepath.Join(filepath.Dir(dir), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(filepath.Dir(dir), filepath.Join(dir, "up")))
	for _, key := range []string{"../secret", "a/../../secret", outside, "link", "up/secret", "", ".", ".."} {
		if key != "link" { // Put replaces the link itself
			require.Error(t, store.Put(t.Context(), key, strings.NewReader("changed"), 7), key)
		}
		if file, err := store.Open(t.Context(), key); err == nil { // a directory opens
			_, err = io.ReadAll(file)
			require.Error(t, err, key)
			require.NoError(t, file.Close())
		}
		if key != "link" {
			_ = store.Delete(t.Context(), key) // an error, or nothing to delete
		}
	}
	require.NoError(t, store.Put(t.Context(), "link", strings.NewReader("changed"), 7))
	kept, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, "secret", string(kept))
}

// TestDirectoryStoresWholeFilesOnly requires that a failed write leaves the previous file
// in place, and nothing else.
func TestDirectoryStoresWholeFilesOnly(t *testing.T) {
	t.Parallel()
	store, dir := newDirectory(t)
	require.NoError(t, store.Put(t.Context(), "a/file", strings.NewReader("first"), 5))
	failure := errors.New("the connection was reset")
	for name, test := range map[string]struct {
		from io.Reader
		size int64
		want error
	}{
		"too short":    {strings.NewReader("four"), 5, io.ErrUnexpectedEOF},
		"too long":     {strings.NewReader("sixsix"), 5, io.ErrUnexpectedEOF},
		"empty":        {strings.NewReader(""), 5, io.ErrUnexpectedEOF},
		"fails":        {io.MultiReader(strings.NewReader("seco"), iotest.ErrReader(failure)), 5, failure},
		"size unknown": {io.MultiReader(strings.NewReader("seco"), iotest.ErrReader(failure)), -1, failure},
	} {
		require.ErrorIs(t, store.Put(t.Context(), "a/file", test.from, test.size), test.want, name)
		require.Equal(t, "first", content(t, store, "a/file"), name)
	}
	require.Equal(t, []string{"a/file"}, files(t, dir))
}

// TestConcurrentWritersOfAKeyDoNotMix reads a file while it is replaced by several writers:
// each reader gets all of one version.
func TestConcurrentWritersOfAKeyDoNotMix(t *testing.T) {
	t.Parallel()
	store, dir := newDirectory(t)
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 256<<10) }
	require.NoError(t, store.Put(t.Context(), "a/file", bytes.NewReader(version(0)), -1))
	const writers, rounds = 6, 5
	errs := make(chan error, writers*rounds)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range rounds {
				errs <- store.Put(t.Context(), "a/file", iotest.HalfReader(bytes.NewReader(version(i))), 256<<10)
			}
		})
	}
	for range writers * rounds {
		require.NoError(t, <-errs)
		read := content(t, store, "a/file")
		require.Equal(t, strings.Repeat(read[:1], 256<<10), read)
	}
	group.Wait()
	require.Equal(t, []string{"a/file"}, files(t, dir))
}

// TestAnOpenFileCanBeDeleted reads a file to its end after it was deleted.
func TestAnOpenFileCanBeDeleted(t *testing.T) {
	t.Parallel()
	store, _ := newDirectory(t)
	require.NoError(t, store.Put(t.Context(), "a/file", strings.NewReader("content"), 7))
	file, err := store.Open(t.Context(), "a/file")
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, store.Delete(t.Context(), "a/file"))
	_, err = store.Open(t.Context(), "a/file")
	require.ErrorIs(t, err, blob.ErrNotFound)
	read, err := io.ReadAll(file)
	require.NoError(t, err)
	require.Equal(t, "content", string(read))
}

func TestOnlyTheOwnerCanEnterTheDirectory(t *testing.T) {
	t.Parallel()
	store, dir := newDirectory(t)
	require.NoError(t, store.Put(t.Context(), "a/file", strings.NewReader(""), 0))
	for _, path := range []string{dir, filepath.Join(dir, "a")} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
	}
}

func TestOpenDoesNotEchoTheAddress(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret-word")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, address := range []string{
		file, file + "/below", "", "ftp://secret-word", "s3://secret-word/bucket", "s3://key:secret-word@", "s3://key:secret-word@host",
		"s3://key:secret-word%zz@host/bucket", "https://key:secret-word@host/bucket", "s3://key:secret-word@127.0.0.1:1/bucket?insecure=true",
	} {
		_, err := blob.Open(t.Context(), address)
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), "secret-word")
	}
}
