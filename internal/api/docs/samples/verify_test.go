package samples_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/docs/samples"
	"github.com/avelto/convo/internal/domain/webhook/signature"
)

const (
	secret = "wh_d07b4b02dab3b31e955aebcaf9fbd507988d2b979c6ec33e"
	body   = `{"type":"lead.created"}`
)

// cases maps signature headers to whether a receiver must accept them at the time now.
func cases(now time.Time) map[string]bool {
	return map[string]bool{
		signed(secret, now): true,
		signed("wh_other", now) + "," + v1(signed(secret, now)): true, // during secret rotation
		signed("wh_other", now):                                 false,
		signed(secret, now.Add(-6*time.Minute)):                 false,
		signed(secret, now.Add(6*time.Minute)):                  false,
		strings.Replace(signed(secret, now), "v1", "v0", 1):     false,
	}
}

// signed returns the header that a sender with this secret sends.
func signed(key string, at time.Time) string {
	header := http.Header{}
	signature.Sign(header, []string{key}, "evt", at, []byte(body))
	return header.Get("X-Convo-Signature")
}

func v1(header string) string {
	_, signature, _ := strings.Cut(header, ",")
	return signature
}

func TestGoSampleVerifiesSignatures(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for header, want := range cases(now) {
		err := samples.Verify(secret, header, []byte(body), now)
		require.Equal(t, want, err == nil, header)
	}
	require.Error(t, samples.Verify(secret, v1(signed(secret, now)), []byte(body), now), "no timestamp")
}

func TestPythonSampleVerifiesSignatures(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "python3 is not installed, and this test runs a code sample with it")
	for header, want := range cases(time.Now()) {
		program := fmt.Sprintf("import verify; verify.verify(%q, %q, b%q)", secret, header, body)
		out, err := exec.CommandContext(t.Context(), python, "-B", "-c", program).CombinedOutput()
		require.Equal(t, want, err == nil, "%s\n%s", header, out)
	}
}
