package app

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// forgetBinary takes the pages of the program's own file out of memory that only
// the start has read: init functions, tables of types, descriptors, some 15 MB.
// They are clean and private: what is read again comes back from the page cache
// (madvise(2), MADV_DONTNEED).
func forgetBinary() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("own mappings: %w", err)
	}
	binary, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("own path: %w", err)
	}
	for line := range bytes.Lines(maps) {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(string(line), "%x-%x %s", &from, &to, &mode); err != nil || !bytes.HasSuffix(bytes.TrimSpace(line), []byte(" "+binary)) {
			continue
		}
		if mode != "r-xp" && mode != "r--p" { // what was written to is not in the file
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}
