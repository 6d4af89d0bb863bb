package watch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/watch"
)

func TestWaitReturnsOnceTheTextIsEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text watch.Text
		go func() {
			for i := range 10 {
				time.Sleep(time.Second) // of the bubble's clock
				fmt.Fprintf(&text, "line %d\n", i)
			}
		}()
		began := time.Now()
		require.Contains(t, text.WaitFor(t, "line 3"), "line 0\n")
		require.Equal(t, 4*time.Second, time.Since(began))
		require.Equal(t, text.String(), text.WaitFor(t, "line 1"), "it is there already")
		time.Sleep(time.Minute)
	})
}
