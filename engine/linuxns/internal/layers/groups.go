//go:build linux && (amd64 || arm64)

package layers

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// enter takes the child into the control groups of the sandbox, whose files
// "tasks" have these descriptors.
func (b *builder) enter(tasks []int) {
	b.Layer(Groups)
	for _, fd := range tasks {
		b.Add(tape.Call{
			Step: "enter the control group", Nr: unix.SYS_WRITE, Want: uintptr(len(cgroup.Enter)),
			Args: [6]uintptr{uintptr(fd), b.String(cgroup.Enter), uintptr(len(cgroup.Enter))},
		})
	}
}

// groups hides the names of the control groups that the sandbox is in, and of
// all others. It is no flag of clone: that would show the launcher's groups as
// the root, and the sandbox's by its name.
func (b *builder) groups() {
	b.Layer(Clone)
	b.call("unshare control groups", unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
}

// victim says how likely the guest is to die when memory is used up, see
// proc_pid_oom_score_adj(5). It comes before the change of ids,
// after which these files are not the child's own.
func (b *builder) victim(score int) {
	b.Layer(Limits)
	b.write("/proc/self/oom_score_adj", strconv.Itoa(score), 0, 0)
}
