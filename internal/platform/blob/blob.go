// Package blob keeps files: in a directory, or in object storage that speaks S3.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Open returns the store of an address: a directory, or
// s3://KEY:SECRET@HOST/BUCKET?region=…&insecure=true.
func Open(ctx context.Context, address string) (Store, error) {
	if !strings.HasPrefix(address, "s3://") {
		return Directory(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("blob: the address of the storage is not a URL") // err would print its secret
	}
	store, err := openS3(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("object storage at %s: %w", u.Host, err)
	}
	return store, nil
}
