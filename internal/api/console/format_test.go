package console

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/platform/clock"
)

var noon = time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)

func TestSince(t *testing.T) {
	t.Parallel()
	c := &console{Dependencies: Dependencies{Clock: clock.NewFake(noon)}}
	require.Equal(t, "never", c.since(nil))
	for ago, want := range map[time.Duration]string{
		-time.Hour: "just now", 0: "just now", 59 * time.Second: "just now", time.Minute: "1 min ago", 59*time.Minute + 59*time.Second: "59 min ago",
		time.Hour: "1 h ago", 24*time.Hour - 1: "23 h ago", 24 * time.Hour: "1 days ago", 100 * 24 * time.Hour: "100 days ago",
	} {
		at := noon.Add(-ago)
		require.Equal(t, want, c.since(&at), ago)
	}
}

func TestDatesAreInUTC(t *testing.T) {
	t.Parallel()
	late := time.Date(2026, time.April, 30, 23, 30, 0, 0, time.FixedZone("", -2*60*60))
	require.Equal(t, "never", date(nil))
	require.Equal(t, "1 May 2026", date(&late))
	require.Equal(t, `<time class="nowrap" datetime="2026-05-01T01:30:00Z">1 May 2026 01:30:00</time>`, string(moment(late)))
}

func TestDuration(t *testing.T) {
	t.Parallel()
	require.Equal(t, "–", duration(nil))
	for seconds, want := range map[float64]string{0: "0s", 0.4: "0s", 59.6: "1m", 60: "1m", 61: "1m1s", 600: "10m", 3600: "1h0m", 3661: "1h1m1s"} {
		require.Equal(t, want, duration(&seconds), seconds)
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "0.0 %", 0.125: "12.5 %", 1: "100.0 %", 1.0 / 3: "33.3 %"} {
		require.Equal(t, want, percent(share))
	}
}

// TestToneAcceptsEnums: templates pass strings and the enums of the document.
func TestToneAcceptsEnums(t *testing.T) {
	t.Parallel()
	for want, statuses := range map[string][]any{
		"good": {"active", api.IntegrationStatusCONNECTED}, "bad": {"revoked", api.IntegrationStatusERROR, "sign_in.refused"},
		"warm": {"expired", "PENDING"}, "": {api.IntegrationStatusDISABLED, "", nil, 7},
	} {
		for _, status := range statuses {
			require.Equal(t, want, tone(status), status)
		}
	}
}

func TestShortIDsOfSameMillisecondDiffer(t *testing.T) {
	t.Parallel()
	require.Equal(t, "5f1d2e01", short(uuid.MustParse("019dde42-9a00-7c3a-9f21-6a0b5f1d2e01")))
}

// TestNextOnlyReturnsConsolePaths: the sign-in must not redirect to other sites.
func TestNextOnlyReturnsConsolePaths(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"/app/settings/audit?by=USER": "/app/settings/audit?by=USER",
		"":                            "/app/inbox",
		"/application":                "/app/inbox",
		"/app":                        "/app/inbox",
		"https://evil.example/app/":   "/app/inbox",
		"//evil.example/app/":         "/app/inbox",
		`/app/\evil.example`:          "/app/inbox",
		"app/settings":                "/app/inbox",
		"%zz":                         "/app/inbox",
	} {
		require.Equal(t, want, next(asked), asked)
	}
}
