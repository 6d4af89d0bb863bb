package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// partBytes is the size of the parts in which a file of unknown size is uploaded. Each is
// buffered in memory. S3 accepts no smaller parts.
const partBytes = 5 << 20

type object struct {
	client *minio.Client
	bucket string
}

func openS3(ctx context.Context, u *url.URL) (Store, error) {
	secret, _ := u.User.Password()
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(u.User.Username(), secret, ""), Secure: u.Query().Get("insecure") != "true",
		Region: u.Query().Get("region"), BucketLookup: minio.BucketLookupAuto,
	})
	if err != nil {
		return nil, err
	}
	o := &object{client: client, bucket: strings.Trim(u.Path, "/")}
	exists, err := client.BucketExists(ctx, o.bucket)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, errors.New("the bucket does not exist")
	}
	return o, nil
}

// Put implements Store.
func (o *object) Put(ctx context.Context, key string, from io.Reader, size int64) error {
	options := minio.PutObjectOptions{DisableMultipart: size >= 0, PartSize: partBytes}
	if _, err := o.client.PutObject(ctx, o.bucket, key, from, size, options); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	return nil
}

// Open implements Store.
func (o *object) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	found, err := o.client.GetObject(ctx, o.bucket, key, minio.GetObjectOptions{})
	if err == nil {
		_, err = found.Stat() // sends the request, which GetObject does not
	}
	var response minio.ErrorResponse
	if errors.As(err, &response) && response.StatusCode == http.StatusNotFound {
		return nil, ErrNotFound
	} else if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return found, nil
}

// Delete implements Store.
func (o *object) Delete(ctx context.Context, key string) error {
	if err := o.client.RemoveObject(ctx, o.bucket, key, minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete file: %w", err)
	}
	return nil
}
