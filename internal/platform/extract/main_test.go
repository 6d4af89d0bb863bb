package extract_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/cost"
)

// oldKernel is the environment variable that takes Landlock and seccomp from a reader.
const oldKernel = "OLD_KERNEL"

// TestMain runs the tests, or is the reader process that they start, or a server that
// reads one file.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == extract.Command:
		if err = forgetFeatures(os.Getenv(oldKernel) != ""); err == nil {
			err = extract.Main(context.Background(), os.Stdin, os.Stdout)
		}
	case cost.Requested():
		err = cost.Report(readFile)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// forgetFeatures makes the system calls of Landlock and seccomp fail as they do on a
// kernel that lacks them.
func forgetFeatures(old bool) error {
	if !old {
		return nil
	}
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{
			Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS),
			Names:  []string{"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"},
		}},
	}})
}
