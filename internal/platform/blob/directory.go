package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

type directory struct{ root *os.Root }

// Directory returns a store that keeps files in a directory. It creates the directory if
// it does not exist. Symbolic links that leave the directory are not followed.
func Directory(path string) (Store, error) {
	const private = 0o700
	if err := os.MkdirAll(path, private); err != nil {
		return nil, fmt.Errorf("directory for files: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("directory for files: %w", err)
	}
	return &directory{root: root}, nil
}

// Put implements Store. The file is written next to its final path, under a name of its
// own, and then renamed: readers and other writers of the key never see a part of it.
func (d *directory) Put(_ context.Context, key string, from io.Reader, size int64) (err error) {
	name := filepath.FromSlash(key)
	if err := d.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	part := name + "." + rand.Text() + ".part"
	file, err := d.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = d.root.Remove(part) // err is the error to return
		}
	}()
	// Hide WriterTo: the reader must not choose how it is copied.
	n, err := io.Copy(file, struct{ io.Reader }{from})
	if err == nil && size >= 0 && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	if err := d.root.Rename(part, name); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	return nil
}

// Open implements Store.
func (d *directory) Open(_ context.Context, key string) (io.ReadCloser, error) {
	file, err := d.root.Open(filepath.FromSlash(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	} else if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return file, nil
}

// Delete implements Store.
func (d *directory) Delete(_ context.Context, key string) error {
	if err := d.root.Remove(filepath.FromSlash(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete file: %w", err)
	}
	return nil
}
