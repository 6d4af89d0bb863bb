package middleware_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/httpapi/middleware"
)

// leadsBody looks like a page of leads.
func leadsBody(leads int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range leads {
		fmt.Fprintf(&b, `{"id":"019dde42-9a00-7c3a-9f21-%012x","status":"NEW","fields":{"name":"Anna %x","email":"a%x@example.com"},"score":%d},`, i*7919, i*104729, i*1299709, i%100)
	}
	return strings.TrimSuffix(b.String(), ",") + "]\n"
}

func compressed(t *testing.T, handler http.HandlerFunc) http.Handler {
	t.Helper()
	wrapped, err := middleware.Compress(handler)
	require.NoError(t, err)
	return wrapped
}

func TestCompressionIsNegotiated(t *testing.T) {
	t.Parallel()
	large, small := leadsBody(500), leadsBody(1)
	for _, tt := range []struct {
		accept, body string
		compressed   bool
	}{
		{"gzip", large, true},
		{"GZIP;q=0.5, br", large, true},
		{"gzip", small, false},
		{"", large, false},
		{"identity", large, false},
		{"gzip;q=0", large, false},
		{"gzip; q=0.000, identity", large, false},
		{"zstd, br", large, false},
	} {
		for _, pieces := range []int{1, 7} { // a stream writes several times
			handler := compressed(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("ETag", `W/"1"`)
				for i := range pieces {
					_, _ = io.WriteString(w, tt.body[len(tt.body)*i/pieces:len(tt.body)*(i+1)/pieces])
				}
			})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", tt.accept)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
			require.Equal(t, `W/"1"`, w.Header().Get("ETag"))
			got := io.Reader(w.Body)
			if tt.compressed {
				require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), tt.accept)
				require.Less(t, w.Body.Len(), len(tt.body)/2)
				var err error
				got, err = gzip.NewReader(w.Body)
				require.NoError(t, err)
			} else {
				require.Empty(t, w.Header().Get("Content-Encoding"), tt.accept)
			}
			text, err := io.ReadAll(got)
			require.NoError(t, err)
			require.Equal(t, tt.body, string(text), tt.accept)
		}
	}
}

// slowClient is a response that accepts the header of gzip and little more, until it is
// released.
type slowClient struct {
	header  http.Header
	sent    int
	once    sync.Once
	writing *sync.WaitGroup
	release chan struct{}
}

// Header implements http.ResponseWriter.
func (c *slowClient) Header() http.Header { return c.header }

// WriteHeader implements http.ResponseWriter.
func (*slowClient) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (c *slowClient) Write(b []byte) (int, error) {
	if c.sent += len(b); c.sent > 512 {
		c.once.Do(c.writing.Done)
		<-c.release
	}
	return len(b), nil
}

// memoryOfSlowClients returns the bytes in use while 200 clients read slowly.
func memoryOfSlowClients(t *testing.T, encoding string) int {
	t.Helper()
	const clients = 200
	body := leadsBody(500) // 65 KB, as 200 leads with a few fields
	handler := compressed(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body)) // a copy, as each response has its own
	})
	inUse := func() int {
		runtime.GC()
		runtime.GC() // empties pools
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc + stats.StackInuse)
	}
	before := inUse()
	var writing, done sync.WaitGroup
	writing.Add(clients)
	release := make(chan struct{})
	for range clients {
		done.Go(func() {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", encoding)
			handler.ServeHTTP(&slowClient{header: http.Header{}, writing: &writing, release: release}, r)
		})
	}
	writing.Wait()
	used := inUse() - before
	close(release)
	done.Wait()
	return used
}

// TestSlowClientsCostNoMoreMemoryWithGzip measures the memory of the process.
//
//nolint:paralleltest // other tests would be measured too
func TestSlowClientsCostNoMoreMemoryWithGzip(t *testing.T) {
	plain, packed := memoryOfSlowClients(t, "identity"), memoryOfSlowClients(t, "gzip")
	t.Logf("200 slow clients: %d KiB with identity, %d KiB with gzip", plain>>10, packed>>10)
	require.Less(t, float64(packed), 1.3*float64(plain))
}
