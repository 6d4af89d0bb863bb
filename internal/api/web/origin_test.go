package web_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/web"
)

func TestOriginIsWhereTheClientReachedTheServer(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"convo.example": "http://convo.example", "127.0.0.1:8080": "http://127.0.0.1:8080", "[::1]:80": "http://[::1]:80", "": "http://localhost:8080",
		"$(id).example": "http://localhost:8080", "a'b": "http://localhost:8080", "x:y": "http://localhost:8080", "a<b": "http://localhost:8080",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		require.Equal(t, want, web.Origin(r), host)
	}
	r := httptest.NewRequest(http.MethodGet, "http://convo.example/", nil)
	r.Header.Set("X-Forwarded-Proto", "HTTPS")
	require.Equal(t, "https://convo.example", web.Origin(r))
	r.Header.Del("X-Forwarded-Proto")
	r.TLS = &tls.ConnectionState{}
	require.Equal(t, "https://convo.example", web.Origin(r))
}
