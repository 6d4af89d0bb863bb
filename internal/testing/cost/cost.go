// Package cost measures what some work costs a process of its own, without what the
// processes that it starts cost. CPU time is measured, not time: it depends little on what
// else the machine does.
package cost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/avelto/convo/internal/testing/race"
	"github.com/avelto/convo/internal/testing/reader"
)

const (
	// warmVariable and workVariable are the environment variables with the work of a
	// process that is measured.
	warmVariable, workVariable = "CONVO_COST_WARM", "CONVO_COST_WORK"
	// attempts is how often work is measured at most. The least counts: another process
	// can only add to it.
	attempts = 3
)

// Cost is what work cost a process: the growth of its peak memory, and its CPU time.
type Cost struct {
	Memory int64         `json:"memory"` // bytes
	CPU    time.Duration `json:"cpu"`
	Result string        `json:"result"`
}

func (c Cost) within(limit Cost) bool { return c.Memory <= limit.Memory && c.CPU <= limit.CPU }

// Limit returns a cost. The race detector multiplies CPU time by some ten, and memory by
// some five.
func Limit(memory int64, cpu time.Duration) Cost {
	if race.Enabled {
		return Cost{Memory: 5 * memory, CPU: 10 * cpu}
	}
	return Cost{Memory: memory, CPU: cpu}
}

// Requested reports whether this process was started to be measured. TestMain then calls
// Report and ends.
func Requested() bool { return os.Getenv(workVariable) != "" }

// Report performs the work of this process, after similar work to warm up, and prints its
// cost.
func Report(perform func(work string) string) error {
	perform(os.Getenv(warmVariable))
	before, err := used()
	if err != nil {
		return err
	}
	result := perform(os.Getenv(workVariable))
	after, err := used()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(Cost{Memory: after.Memory - before.Memory, CPU: after.CPU - before.CPU, Result: result})
}

// Require runs this test binary to perform work, and requires its result and that it costs
// no more than limit.
func Require(t *testing.T, warm, work, result string, limit Cost) {
	t.Helper()
	program, err := reader.Path()
	require.NoError(t, err)
	var got Cost
	for range attempts {
		cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very program
		cmd.Env = append(os.Environ(), warmVariable+"="+warm, workVariable+"="+work, reader.Variable+"="+program)
		said, err := cmd.Output()
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(said, &got))
		t.Logf("%d MiB, %s", got.Memory>>20, got.CPU)
		require.Equal(t, result, got.Result)
		if got.within(limit) {
			return
		}
	}
	require.Fail(t, "cost too much", "%d MiB, %s", got.Memory>>20, got.CPU)
}

func used() (Cost, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Cost{}, fmt.Errorf("memory: %w", err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(peak)
	if len(fields) == 0 {
		return Cost{}, errors.New("memory: no VmHWM")
	}
	kibibytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return Cost{}, fmt.Errorf("memory: %w", err)
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return Cost{}, fmt.Errorf("CPU time: %w", err)
	}
	return Cost{Memory: kibibytes << 10, CPU: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}, nil
}
