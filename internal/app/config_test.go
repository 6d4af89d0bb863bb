package app_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/app"
)

func TestTheSecretKeyMustBeLongEnough(t *testing.T) {
	t.Parallel()
	key, err := app.ParseKey(strings.Repeat("0f", 32))
	require.NoError(t, err)
	require.Len(t, key, 32)
	for text, want := range map[string]string{"": "is not set", strings.Repeat("0f", 31): "at least 32 bytes", strings.Repeat("zz", 32): "at least 32 bytes"} {
		_, err := app.ParseKey(text)
		require.ErrorContains(t, err, want)
	}
}

func TestTracingIsOnWhereItIsAskedFor(t *testing.T) {
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
