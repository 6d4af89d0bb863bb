package extract

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limitMemory bounds what this process can write to (setrlimit(2), RLIMIT_DATA).
func limitMemory(size uint64) error {
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: size, Max: size}); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	return nil
}
