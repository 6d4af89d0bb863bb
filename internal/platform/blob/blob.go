// Package blob keeps files: in a directory, or in object storage that speaks S3.
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

// ErrNotFound means that there is no file of this key.
var ErrNotFound = errors.New("blob: no such file")

// Store keeps files by key: names joined by slashes, of letters, digits and hyphens.
type Store interface {
	// Put stores what it reads to the end, size bytes. A file that cannot be read to
	// the end is not stored.
	Put(ctx context.Context, key string, from io.Reader, size int64) error
	// Open returns a file, or ErrNotFound.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// Open returns the store at an address: a directory, or
// s3://KEY:SECRET@HOST/BUCKET?region=…&insecure=true. Its errors never contain the
// address, which holds a secret.
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
