package extract_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"

	"github.com/avelto/convo/internal/platform/extract"
)

// oldKernel is the environment variable that takes Landlock and seccomp from a reader.
const oldKernel = "OLD_KERNEL"

// TestMain runs the tests, or is the reader process that they start.
func TestMain(m *testing.M) {
	if len(os.Args) != 2 || os.Args[1] != extract.Command {
		os.Exit(m.Run())
	}
	err := forgetFeatures(os.Getenv(oldKernel) != "")
	if err == nil {
		err = extract.Main(context.Background(), os.Stdin, os.Stdout)
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
