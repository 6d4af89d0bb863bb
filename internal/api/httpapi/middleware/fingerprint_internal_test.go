package middleware

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
)

// headers are set on a request as they stand.
type headers = map[string]string

func fingerprintOf(t *testing.T, o *spec.Operation, method, target, body string, header headers) string {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	sum, err := newFingerprint(r, &Call{Operation: o})()
	require.NoError(t, err)
	return string(sum)
}

func TestFingerprintCoversWhatChangesTheOutcome(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	o := document.Find(http.MethodPost, spec.BasePath+"/knowledge/upload")
	require.NotNil(t, o)
	require.Equal(t, []string{"Content-Type", "X-Original-Name"}, fingerprinted(o))
	const path = "/api/v1/knowledge/upload"
	sent := headers{"Content-Type": "text/plain; charset=utf-8", "X-Original-Name": "a.txt"}
	original := fingerprintOf(t, o, http.MethodPost, path, "body", sent)
	for name, other := range map[string]string{
		"method":              fingerprintOf(t, o, http.MethodPut, path, "body", sent),
		"path":                fingerprintOf(t, o, http.MethodPost, path+"s", "body", sent),
		"query":               fingerprintOf(t, o, http.MethodPost, path+"?a=1", "body", sent),
		"body":                fingerprintOf(t, o, http.MethodPost, path, "Body", sent),
		"content type":        fingerprintOf(t, o, http.MethodPost, path, "body", headers{"Content-Type": "text/html; charset=utf-8", "X-Original-Name": "a.txt"}),
		"charset":             fingerprintOf(t, o, http.MethodPost, path, "body", headers{"Content-Type": "text/plain; charset=latin1", "X-Original-Name": "a.txt"}),
		"file name":           fingerprintOf(t, o, http.MethodPost, path, "body", headers{"Content-Type": "text/plain; charset=utf-8", "X-Original-Name": "A.txt"}),
		"no file name":        fingerprintOf(t, o, http.MethodPost, path, "body", headers{"Content-Type": "text/plain; charset=utf-8"}),
		"name that has moved": fingerprintOf(t, o, http.MethodPost, path, "a.txtbody", headers{"Content-Type": "text/plain; charset=utf-8"}),
	} {
		require.NotEqual(t, original, other, name)
	}
	for _, same := range []headers{
		{"content-type": "text/plain; charset=utf-8", "x-original-name": "a.txt"},
		{"Content-Type": ` Text/Plain;charset="UTF-8" `, "X-Original-Name": " a.txt "},
		{"Content-Type": "text/plain; charset=utf-8", "X-Original-Name": "a.txt", "User-Agent": "x", "X-Request-Id": "y", "Authorization": "Bearer z", "Idempotency-Key": "k"},
	} {
		require.Equal(t, original, fingerprintOf(t, o, http.MethodPost, path, "body", same), "%v", same)
	}
}

// TestFingerprintIsTheSameHoweverTheBodyIsRead: handlers read all, a part or nothing.
func TestFingerprintIsTheSameHoweverTheBodyIsRead(t *testing.T) {
	t.Parallel()
	o := &spec.Operation{}
	want := fingerprintOf(t, o, http.MethodPost, "/", "0123456789", nil)
	for _, length := range []int64{0, 3, 10} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("0123456789"))
		fingerprint := newFingerprint(r, &Call{Operation: o})
		_, err := io.CopyN(io.Discard, r.Body, length)
		require.NoError(t, err)
		sum, err := fingerprint()
		require.NoError(t, err)
		require.Equal(t, want, string(sum))
	}
	whole, err := newFingerprint(httptest.NewRequest(http.MethodPost, "/", nil), &Call{Operation: o, body: []byte("0123456789")})()
	require.NoError(t, err)
	require.Equal(t, want, string(whole), "a body that was read before")
}
