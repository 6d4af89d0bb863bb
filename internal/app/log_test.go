package app_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/app"
)

// sink remembers each write.
type sink struct {
	mu     sync.Mutex
	writes []string
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, string(b))
	return len(b), nil
}

// said returns the writes so far.
func (s *sink) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

func TestLogLinesAreBufferedBriefly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var to sink
		log, flush, err := app.NewLogger(&to, "info")
		require.NoError(t, err)
		log.Debug("too little")
		log.Info("one")
		log.Info("two")
		synctest.Wait()
		require.Empty(t, to.said())
		time.Sleep(100 * time.Millisecond) // of the bubble's clock
		synctest.Wait()
		require.Len(t, to.said(), 1)
		require.Equal(t, 2, strings.Count(to.said()[0], "\n"))
		log.With("a", 1).WithGroup("g").Info("three", "b", 2)
		log.Warn("now")
		require.Len(t, to.said(), 2)
		require.Contains(t, to.said()[1], `"a":1,"g":{"b":2}`)
		log.Info("last")
		flush()
		require.Len(t, to.said(), 3)
	})
	_, _, err := app.NewLogger(&bytes.Buffer{}, "loud")
	require.ErrorContains(t, err, "log level")
}
