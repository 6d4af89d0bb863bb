//go:build !linux

package embedded

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

func unprivileged(context.Context, string) (func(*exec.Cmd), error) {
	if os.Geteuid() == 0 {
		return nil, errors.New("PostgreSQL does not run as root on this system: start as an ordinary user, or set DATABASE_URL")
	}
	return func(*exec.Cmd) {}, nil
}
