package widget

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPanicWhileReadingIsAnError(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, apart(func() error { panic("broken") }), "panic: broken")
	broken := errors.New("broken")
	require.ErrorIs(t, apart(func() error { return broken }), broken)
	require.NoError(t, apart(func() error { return nil }))
}
