//go:build linux && (amd64 || arm64)

package hostile

import (
	"testing"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
)

func TestKernel(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	attackAll(t, newLab(t, engine.Config{}), kernelAttacks)
}

var kernelAttacks = []attack{
	{id: "N03", script: `
			$ATTACK namespaces
			unshare -U true && echo WIN unshare
			unshare -Urn true && echo WIN unshare with a network
			for f in user pid net mnt; do test "$(cat /proc/sys/user/max_${f}_namespaces)" -gt 0 && test -n "$BARE" && echo WIN $f; done
			echo TRIED`},
	{id: "N04", script: `$ATTACK setns; nsenter -t 1 -a true && echo WIN nsenter; echo TRIED`},
	{id: "N05", script: `$ATTACK peek; echo TRIED`},
	{id: "N07", script: `$ATTACK keys; cat /proc/keys /proc/key-users; echo TRIED`},
	{id: "N08", script: `$ATTACK kernel bpf filters; echo TRIED`},
	{id: "N09", script: `$ATTACK kernel uring; echo TRIED`},
	{id: "N10", script: `$ATTACK kernel perf; echo TRIED`},
	{id: "N12", script: `$ATTACK terminal; test -t 0 && echo WIN stdin; test -t 1 && echo WIN stdout; echo TRIED`},
	{id: "N13", script: `$ATTACK foreign; echo TRIED`},
	{id: "N16", script: `$ATTACK vsock; echo TRIED`},
	{id: "N17", script: `$ATTACK kernel personality userfaultfd; echo TRIED`},
	{id: "N01", script: `$ATTACK status; echo TRIED`},
	{id: "N02", script: `
			for p in $OWNER $VICTIM; do
				test -e /proc/$p && echo "WIN process $p is to be seen"
				test -n "$BARE" || kill -0 $p && echo "WIN process $p can be signalled"
			done
			echo TRIED`},
	{id: "N06", script: `
			for f in $(find /dev -maxdepth 1 -type b -o -maxdepth 1 -type c); do
				case ${f#/dev/} in null|zero|full|random|urandom|tty|ptmx|console) ;; *) test -r $f -o -w $f && echo WIN $f;; esac
			done
			test -n "$BARE" && test -w /dev/null && test "$(ls /dev | wc -l)" -gt 12 && echo WIN the devices of the machine
			test -n "$BARE" || test "$(stat -fc %T /dev)" = "$(stat -fc %T /dev/shm)" || test "$(ls /dev | wc -l)" -lt 16 || echo WIN /dev
			echo TRIED`},
	{id: "N11", script: `test -n "$BARE" && exec 7<"$H1DIR"; $ATTACK descriptors; echo TRIED`},
	{id: "N23", needs: []string{driver.Landlock}, script: `cd "$HOME"; mknod whiteout c 0 0 && echo WIN made a node; $ATTACK devicecalls; echo TRIED`},
	{id: "N30", script: `
			for d in /sys/fs/cgroup /sys/fs/cgroup/* /proc/1/root/sys/fs/cgroup; do
				test -e $d/cgroup.procs && echo WIN $d
				mkdir $d/own && rmdir $d/own && echo WIN made $d/own
				for f in cgroup.procs release_agent notify_on_release devices.allow; do test -w $d/$f && echo WIN $d/$f; done
			done
			grep -v ':/$' /proc/self/cgroup | sed 's/^/WIN /'
			test -n "$BARE" && sed 's/^/WIN /' /proc/self/cgroup
			echo TRIED`},
	{id: "N31", script: `$ATTACK privileges; $ATTACK limits; echo TRIED`},
}
