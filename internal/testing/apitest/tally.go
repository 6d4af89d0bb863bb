package apitest

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TalliesVariable names a file for measured values. `make test` prints it.
const TalliesVariable = "CONVO_TALLIES_FILE"

// Tallyf logs a measured value and appends it to the file of TalliesVariable, if set.
func Tallyf(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	path := os.Getenv(TalliesVariable)
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(line + "\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
