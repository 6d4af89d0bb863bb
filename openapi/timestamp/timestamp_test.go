package timestamp_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/openapi/timestamp"
)

func TestExactlyThreeDecimalsInUTC(t *testing.T) {
	t.Parallel()
	warsaw := time.FixedZone("", 2*60*60)
	for want, at := range map[string]time.Time{
		`"2026-04-30T12:00:00.000Z"`: time.Date(2026, 4, 30, 14, 0, 0, 0, warsaw),
		`"2026-04-30T12:00:00.100Z"`: time.Date(2026, 4, 30, 12, 0, 0, 100e6, time.UTC),
		`"2026-04-30T12:00:00.123Z"`: time.Date(2026, 4, 30, 12, 0, 0, 123_999_999, time.UTC),
	} {
		got, err := json.Marshal(timestamp.New(at))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		var back timestamp.Time
		require.NoError(t, json.Unmarshal(got, &back))
		require.True(t, back.Equal(at.Truncate(time.Millisecond)))
	}
	require.Nil(t, timestamp.NewPtr(nil))
}

// FuzzAppendFormat compares the result with that of package time.
func FuzzAppendFormat(f *testing.F) {
	for _, seed := range []int64{0, 1777550400123, -62135596800000, 253402300799999, 253402300800000, -99999999999999} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, milliseconds int64) {
		at := time.UnixMilli(milliseconds)
		require.Equal(t, at.UTC().Format(timestamp.Layout), timestamp.New(at).String())
		require.Equal(t, at.UTC().Format(timestamp.Layout), string(timestamp.New(at).AppendFormat(nil)))
	})
}

func TestParametersAreRFC3339(t *testing.T) {
	t.Parallel()
	var at timestamp.Time
	require.NoError(t, at.Bind("2026-04-30T14:00:00.5+02:00"))
	require.Equal(t, "2026-04-30T12:00:00.500Z", at.String())
	for _, text := range []string{"2026-04-30", "2026-04-30 12:00:00Z", "now", ""} {
		require.Error(t, at.Bind(text), text)
	}
}
