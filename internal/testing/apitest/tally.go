package apitest

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TalliesVariable names a file that figures worth seeing are added to; `make test`
// prints it.
const TalliesVariable = "CONVO_TALLIES_FILE"

// Tallyf logs a figure, and adds it to the file of tallies where there is one.
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
