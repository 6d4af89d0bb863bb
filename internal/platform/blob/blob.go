// Package blob stores files in a directory or in S3-compatible object storage.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
)

// ErrNotFound means that no file has the key.
var ErrNotFound = errors.New("blob: no such file")

// Store stores files by key. A key is a path of names, separated by slashes, of letters,
// digits and hyphens. A Store is safe for concurrent use.
type Store interface {
	// Put stores a file of size bytes, or of any size if size is -1. It replaces the
	// previous file of the key. If reading fails or ends early, it stores nothing.
	Put(ctx context.Context, key string, from io.Reader, size int64) error
	// Open returns a file, or ErrNotFound. The caller closes it.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Delete removes a file. It is no error if there is none.
	Delete(ctx context.Context, key string) error
}

// Open returns the store at an address: a directory, or
// s3://KEY:SECRET@HOST/BUCKET?region=…&insecure=true. Its errors never contain the
// address, which includes a secret.
func Open(ctx context.Context, address string) (Store, error) {
	if !strings.Contains(address, "://") {
		store, err := Directory(address)
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, fmt.Errorf("storage directory: %s: %w", file.Op, file.Err)
		}
		return store, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.User == nil || u.Host == "" || u.Path == "" {
		return nil, errors.New("storage is neither a directory nor s3://KEY:SECRET@HOST/BUCKET with percent-encoded parts")
	}
	store, err := openS3(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("object storage: %w", err)
	}
	return store, nil
}
