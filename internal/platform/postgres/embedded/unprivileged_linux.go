package embedded

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	ordinary = 1000  // the uid that root sees itself as inside the namespace
	nobody   = 65534 // where there is no account named postgres
)

// unprivileged returns a function that lets root run a server in dir. It prefers a user
// namespace in which root is an ordinary user: files stay root's and no other account is
// needed. If a container forbids that, the directory is given to an unprivileged system
// account.
func unprivileged(ctx context.Context, dir string) (func(*exec.Cmd), error) {
	if os.Geteuid() != 0 {
		return func(*exec.Cmd) {}, nil
	}
	if probe := exec.CommandContext(ctx, "true"); probe != nil {
		inNamespace(probe)
		if probe.Run() == nil {
			return inNamespace, nil
		}
	}
	return asAccount(ctx, dir)
}

func inNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: ordinary, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: ordinary, HostID: 0, Size: 1}},
	}
}

func asAccount(ctx context.Context, dir string) (func(*exec.Cmd), error) {
	uid := nobody
	if account, err := user.Lookup("postgres"); err == nil {
		if uid, err = strconv.Atoi(account.Uid); err != nil {
			return nil, fmt.Errorf("uid of the account postgres: %w", err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, uid)
	})
	if err != nil {
		return nil, fmt.Errorf("give %s to uid %d: %w", dir, uid, err)
	}
	as := func(cmd *exec.Cmd) {
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)},
		}
	}
	probe := exec.CommandContext(ctx, "test", "-w", dir) //nolint:gosec // a directory of our own
	as(probe)
	if err := probe.Run(); err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root, and uid %d cannot reach %s: "+
			"choose another data directory (CONVO_DATA_DIR) or start as an ordinary user", uid, dir)
	}
	return as, nil
}
