package extract

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// allowedCalls are the system calls that reading a pipe, computing and writing a pipe
// take, in a Go program that runs WebAssembly. Everything else fails with EPERM: opening
// files, sockets, starting programs, signalling and tracing other processes.
var allowedCalls = []string{
	"read", "write", "readv", "writev", "pread64", "close", "fcntl", "fstat", "lseek",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
	"futex", "sched_yield", "sched_getaffinity", "nanosleep", "clock_nanosleep", "clock_gettime", "gettimeofday", "restart_syscall",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "getrandom",
	"getpid", "gettid", "set_robust_list", "rseq", "exit", "exit_group",
}

// limitResources bounds memory, CPU time and core dumps (setrlimit(2)).
func limitResources() error {
	for _, limit := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_DATA, memoryLimit},
		{unix.RLIMIT_CPU, uint64(cpuLimit.Seconds())},
		{unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.most, Max: limit.most}); err != nil {
			return fmt.Errorf("limit resources: %w", err)
		}
	}
	return nil
}

// giveUp drops the file system and the network by Landlock, and all system calls but
// allowedCalls by seccomp, as far as the kernel has them. Neither can be undone.
func giveUp() Protections {
	active := Protections{ResourcesBounded: true}
	if version, err := landlocksys.LandlockGetABIVersion(); err == nil && landlock.V11.BestEffort().Restrict() == nil {
		active.Landlock = version
	}
	active.Seccomp = filterCalls() == nil
	return active
}

func filterCalls() error {
	// PR_SET_NO_NEW_PRIVS is set on this thread; the filter goes to all, with the flag.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: allowedCalls},
			{Action: seccomp.ActionAllow, NamesWithCondtions: []seccomp.NameWithConditions{
				// Threads, but no processes.
				{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
				// Signals to itself: the runtime preempts goroutines by them.
				{Name: "tgkill", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: uint64(os.Getpid())}}},
			}},
			// The flags of clone3 are out of the filter's reach; libc falls back to clone.
			{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}},
		},
	}})
	if err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// tried adds what the process can no longer do, by trying it.
func tried(p Protections, program string) Protections {
	file, err := os.Open(program) //nolint:gosec // the path of this program
	if err == nil {
		_ = file.Close() // it was opened, which is what matters
	}
	p.FilesRefused = errors.Is(err, os.ErrPermission)
	p.NetworkRefused = errors.Is(connect(), os.ErrPermission)
	// An empty path can start nothing, wherever this runs: only seccomp refuses the call
	// itself. Landlock refuses the file, every one of them.
	p.ProgramsRefused = errors.Is(unix.Exec("", nil, nil), unix.EPERM) || p.Landlock > 0
	return p
}

// connect tries a TCP connection to this machine.
func connect() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err //nolint:wrapcheck // looked at by its caller only
	}
	defer unix.Close(socket)
	return unix.Connect(socket, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}) //nolint:wrapcheck // as above
}
