package id_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
)

func TestIDsAscendWhenTheClockStops(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC))
	ids := id.NewGenerator(c)
	var last uuid.UUID
	for i := range 10_000 {
		if i == 5000 {
			c.Advance(-time.Minute) // a clock may be set back
		}
		next, _ := ids.New()
		require.Equal(t, uuid.Version(7), next.Version())
		require.Equal(t, uuid.RFC4122, next.Variant())
		require.Positive(t, bytes.Compare(next[:], last[:]))
		last = next
	}
}

func TestAnIDContainsItsTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 30, 12, 0, 0, 123_456_789, time.UTC)
	made, at := id.NewGenerator(clock.NewFake(now)).New()
	require.Equal(t, now.Truncate(time.Millisecond), at)
	seconds, nanos := made.Time().UnixTime()
	require.Equal(t, now.Truncate(time.Millisecond), time.Unix(seconds, nanos).UTC().Truncate(time.Millisecond))
}

func TestFloorIsBelowEveryIDOfItsTime(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC))
	ids := id.NewGenerator(c)
	before, _ := ids.New()
	c.Advance(time.Millisecond)
	floor := id.Floor(c.Now())
	after, _ := ids.New()
	require.Negative(t, bytes.Compare(before[:], floor[:]))
	require.Negative(t, bytes.Compare(floor[:], after[:]))
	require.Equal(t, uuid.Nil, id.Floor(time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func TestTheSameSeedReturnsTheSameIDs(t *testing.T) {
	t.Parallel()
	make10 := func() (all []uuid.UUID) {
		ids := id.NewSeeded(clock.NewFake(time.Unix(1, 0)), rand.NewChaCha8([32]byte{1}))
		for range 10 {
			next, _ := ids.New()
			all = append(all, next)
		}
		return all
	}
	first := make10()
	require.Equal(t, first, make10())
}

func TestAppendJSONEqualsEncodingJSON(t *testing.T) {
	t.Parallel()
	for range 100 {
		one := uuid.New()
		want, err := json.Marshal(one)
		require.NoError(t, err)
		require.Equal(t, "x"+string(want), string(id.AppendJSON([]byte("x"), &one)))
	}
	require.Equal(t, "null", string(id.AppendJSON(nil, nil)))
}
