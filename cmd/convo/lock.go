package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

const (
	lockFile  = "lock"
	ownerFile = "owner" // names the process that holds the lock
)

// lockDataDir locks a data directory until release is called or the process ends,
// however it ends. The error says which process has locked it.
func lockDataDir(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if !locked {
		owner, err := os.ReadFile(filepath.Join(dir, ownerFile))
		if err != nil {
			owner = []byte("which is still starting")
		}
		return nil, fmt.Errorf("another convo dev uses the data in %s: %s", dir, strings.TrimSpace(string(owner)))
	}
	// A process that was killed leaves its name behind; it no longer holds the lock.
	forget := func() error { return removeIfExists(filepath.Join(dir, ownerFile)) }
	if err := forget(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return func() error { return errors.Join(forget(), lock.Unlock()) }, nil
}

func removeIfExists(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// writeOwner records this process and its address for the process that finds the lock taken.
func writeOwner(dir string, addr net.Addr) error {
	owner := fmt.Sprintf("process %d at http://%s\n", os.Getpid(), addr)
	if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(owner), 0o600); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
