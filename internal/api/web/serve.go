package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/api/rescue"
)

// policy allows resources from this server only, and no inline scripts or styles.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Assets serves styles, scripts and images. Responses are immutable because the URL
// changes with the content.
func Assets(w http.ResponseWriter, r *http.Request) {
	found, ok := assets()[strings.TrimPrefix(r.URL.Path, AssetsPath)]
	if !ok {
		http.Error(w, "Asset not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", found.mediaType)
	if r.URL.Query().Get("v") == found.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	Write(w, r, http.StatusOK, found.plain, found.packed)
}

// Pack compresses content with gzip, so that it can be cached compressed.
func Pack(content []byte) []byte {
	var out bytes.Buffer
	packer, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // unreachable: the level is valid
	}
	_, _ = packer.Write(content) // writes to memory
	_ = packer.Close()           // writes to memory
	return out.Bytes()
}

// Write sends a page, compressed if the client accepts gzip. packed may be nil.
func Write(w http.ResponseWriter, r *http.Request, status int, plain, packed []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	body := plain
	if packed != nil && AcceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = packed
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has disconnected
}

// AcceptsGzip reports whether the client accepts gzip (RFC 9110, section 12.5.3). An
// explicit gzip takes precedence over the wildcard, and q=0 means not acceptable.
func AcceptsGzip(r *http.Request) bool {
	wildcard := false
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		acceptable := !zeroWeight(weight)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return acceptable
		case "*":
			wildcard = acceptable
		}
	}
	return wildcard
}

// zeroWeight reports whether the parameter q is 0: q=0, q=0.0 and so on.
func zeroWeight(parameter string) bool {
	name, value, ok := strings.Cut(strings.TrimSpace(parameter), "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return ok && strings.EqualFold(name, "q") && err == nil && q == 0
}

// MatchesETag reports whether an If-None-Match header contains an ETag, by weak comparison
// (RFC 9110, section 13.1.2).
func MatchesETag(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

type requestIDKey struct{}

// RequestID returns the ID of the current request.
func RequestID(ctx context.Context) string {
	known, _ := ctx.Value(requestIDKey{}).(string)
	return known
}

// Options of Pages.
type Options struct {
	Log     *slog.Logger
	Timeout time.Duration
	// Fault writes the response after a handler panics.
	Fault http.HandlerFunc
	HTTPS bool // the server is reached over HTTPS only
}

// Pages wraps the handlers of pages. Each request gets an ID, a deadline and a log line.
// Each response gets security headers.
func Pages(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started, requestID := time.Now(), NewRequestID()
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), requestIDKey{}, requestID), o.Timeout)
		defer cancel()
		protect(w.Header(), o.HTTPS)
		w.Header().Set("X-Request-Id", requestID)
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		fault := rescue.Panics(func() error {
			next.ServeHTTP(seen, r.WithContext(ctx))
			return nil
		})
		if fault != nil && !seen.begun {
			o.Fault(seen, r.WithContext(ctx))
		}
		// The query is not logged because it can contain what a user searched for.
		attributes := []slog.Attr{
			slog.String("requestId", requestID), slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", seen.status), slog.Float64("durationMs", float64(time.Since(started).Microseconds())/1e3),
		}
		level := slog.LevelInfo
		if fault != nil {
			level = slog.LevelError
			attributes = append(attributes, slog.String("error", fault.Error()))
		}
		o.Log.LogAttrs(ctx, level, "page", attributes...)
	})
}

// NewRequestID returns an ID that cannot be guessed.
func NewRequestID() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	return "req_" + hex.EncodeToString(random)
}

func protect(header http.Header, https bool) {
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if https {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// statusWriter records the status of the response.
type statusWriter struct {
	http.ResponseWriter

	status int
	begun  bool
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if !w.begun {
		w.status, w.begun = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap supports http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
