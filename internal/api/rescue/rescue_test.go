package rescue_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/rescue"
)

func TestPanicsReturnsTheErrorOfTheFunction(t *testing.T) {
	t.Parallel()
	require.NoError(t, rescue.Panics(func() error { return nil }))
	failure := errors.New("no connection")
	require.Same(t, failure, rescue.Panics(func() error { return failure }))
}

func explode() error { panic("index out of range") }

func TestPanicsReturnsAnErrorWithTheStackOfThePanic(t *testing.T) {
	t.Parallel()
	err := rescue.Panics(explode)
	require.ErrorContains(t, err, "panic: index out of range")
	require.ErrorContains(t, err, "rescue_test.explode", "the stack names the function that panicked")
}

func TestPanicsRecoversEveryKindOfPanic(t *testing.T) {
	t.Parallel()
	var empty map[string]int
	for name, fn := range map[string]func() error{
		"nil panic":     func() error { panic(nil) },
		"error":         func() error { panic(errors.New("x")) },
		"runtime error": func() error { empty["a"] = 1; return nil },
	} {
		require.ErrorContains(t, rescue.Panics(fn), "panic: ", name)
	}
}

func TestPanicsLetsAnAbortedHandlerPanic(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		_ = rescue.Panics(func() error { panic(http.ErrAbortHandler) }) // it does not return
	})
}
