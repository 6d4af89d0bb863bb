// Package reader says which program is the reader process (see package extract) of tests.
package reader

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/avelto/convo/internal/testing/race"
)

// Variable is the environment variable with the path that Path returns.
const Variable = "CONVO_TEST_READER"

// Path returns the program to start as the reader process; empty for the test binary
// itself. A test binary with the race detector is not like the reader that is shipped: it
// exceeds the limits on memory, takes ten times the CPU time, and waits for a second when
// it ends. A reader without the race detector is built in its place.
var Path = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(Variable); path != "" || !race.Enabled {
		return path, nil
	}
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	dir := filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), ".cache", "reader")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("build the reader: %w", err)
	}
	// The tests of several packages run at the same time. The first one builds the
	// program; the others find it up to date.
	lock := flock.New(filepath.Join(dir, "lock"))
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("build the reader: %w", err)
	}
	defer func() { _ = lock.Close() }() // the system unlocks it when the process ends
	path := filepath.Join(dir, "reader")
	said, err := exec.Command("go", "build", "-race=false", "-o", path, "github.com/avelto/convo/internal/testing/reader/program").CombinedOutput() //nolint:gosec // a path of the module
	if err != nil {
		return "", fmt.Errorf("build the reader: %w: %s", err, said)
	}
	return path, nil
})
