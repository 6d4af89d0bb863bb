package app_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestParseKeyRequires32Bytes(t *testing.T) {
	t.Parallel()
	key, err := app.ParseKey(strings.Repeat("0f", 32))
	require.NoError(t, err)
	require.Len(t, key, 32)
	for text, want := range map[string]string{"": "is not set", strings.Repeat("0f", 31): "at least 32 bytes", strings.Repeat("zz", 32): "at least 32 bytes"} {
		_, err := app.ParseKey(text)
		require.ErrorContains(t, err, want)
	}
}

func TestTracingIsEnabledByEnvironment(t *testing.T) {
	t.Parallel()
	for want, environments := range map[bool][]map[string]string{
		true:  {{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, {"OTEL_TRACES_EXPORTER": "otlp"}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}},
		false: {{}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}},
	} {
		for _, environment := range environments {
			require.Equal(t, want, app.TracingWanted(func(name string) string { return environment[name] }), environment)
		}
	}
}

// TestErrorsDoNotContainSettings starts with settings that hold a secret and are wrong.
func TestErrorsDoNotContainSettings(t *testing.T) {
	t.Parallel()
	const secret = "12345/secret-word"
	file := filepath.Join(t.TempDir(), "secret-word")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	on := testdb.New(t)
	for name, config := range map[string]app.Config{
		"a Redis password with a slash":    {RedisURL: "redis://user:" + secret + "@127.0.0.1/0"},
		"no Redis URL":                     {RedisURL: secret},
		"a storage secret with a slash":    {Storage: "s3://key:" + secret + "@127.0.0.1/bucket"},
		"another scheme of storage":        {Storage: "https://key:secret-word@127.0.0.1/bucket"},
		"storage that cannot be reached":   {Storage: "s3://key:secret-word@127.0.0.1:1/bucket?insecure=true"},
		"a file in place of a directory":   {Storage: file + "/files"},
		"a target that is no network":      {AllowedTargets: []string{"127.0.0.0/8", "secret-word"}},
		"a proxy that is not a network":    {TrustedProxies: []string{"secret-word"}},
		"a storage host that is not one":   {Storage: "s3://key:secret-word@host:secret-word/bucket"},
		"a storage URL without a bucket":   {Storage: "s3://key:secret-word@127.0.0.1"},
		"no address of metrics":            {OpsAddr: "secret-word"},
		"no port of metrics":               {OpsAddr: "127.0.0.1:secret-word"},
		"a public URL without a scheme":    {PublicURL: "secret-word"},
		"a public URL with a password":     {PublicURL: "https://user:secret-word@host/path"},
		"a Redis URL with a broken %-code": {RedisURL: "redis://user:secret-word%zz@127.0.0.1"},
	} {
		if config.Storage == "" {
			config.Storage = t.TempDir()
		}
		_, err := app.New(t.Context(), config, app.Parts{DB: on, Key: apitest.Key, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}})
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret-word", name)
	}
	_, err := app.Listen(t.Context(), "CONVO_ADDR", "secret-word:http")
	require.ErrorContains(t, err, "CONVO_ADDR must be an address with a port")
	require.NotContains(t, err.Error(), "secret-word")
	_, _, err = app.NewLogger(io.Discard, "secret-word")
	require.ErrorContains(t, err, "log level")
	require.NotContains(t, err.Error(), "secret-word")
	for _, url := range []string{
		"postgres://user:" + secret + "@127.0.0.1/convo", "postgres://user:secret-word%zz@127.0.0.1/convo", "secret-word",
		"postgres://user:secret-word@127.0.0.1:port/convo", "host=127.0.0.1 password='secret-word", "postgres://127.0.0.1/x?sslrootcert=/secret-word",
		"postgres://127.0.0.1/x?sslmode=secret-word",
	} {
		_, err := postgres.Open(t.Context(), url, postgres.Options{})
		require.ErrorContains(t, err, "DATABASE_URL", url)
		require.NotContains(t, err.Error(), "secret-word", url)
	}
}
