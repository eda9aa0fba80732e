//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/filesystem"
)

const up = "../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../.."

func TestFiles(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	attackAll(t, newLab(t, engine.Config{}), fileAttacks)
}

var fileAttacks = []attack{
	{id: "F01", script: `
			cat "$H1" "` + up + `$H1" "/proc/self/root$H1" "/proc/1/root$H1" "/proc/self/cwd/` + up + `$H1"
			ls -la "$H1DIR" | grep canary
			for d in /proc/[0-9]*/root /proc/[0-9]*/cwd; do cat "$d$H1"; done
			echo TRIED`},
	{id: "F02", script: `
			for f in /etc/shadow /etc/gshadow /etc/sudoers /root/.ssh /root/.bashrc /root/.profile /var/log /var/lib /srv /boot /sys/kernel; do
				test -r $f && ls -d $f/* $f >/dev/null && echo WIN $f
			done
			for f in /proc/1/environ /proc/$OWNER/environ /proc/$VICTIM/environ; do tr '\0' '\n' <$f; done
			env; cat /proc/self/environ | tr '\0' '\n'
			for h in /home/*; do test "$h" = "$HOME" || test ! -e "$h" || echo "WIN $h"; done
			echo TRIED`},
	{id: "F04", script: `ln -s "$H1" link; ln -s "$H1DIR" dir; cat link dir/canary`,
		then: readAll("link", "dir/canary"), bare: readBare("link", "dir/canary")},
	{id: "F05", script: `mkdir -p own; ln -s "$H1" link; ln -s "$H1DIR" dir; ln -s "$H1DIR/new" absent`,
		then: changeAll, bare: func(dir string, _ *world) []byte {
			_ = os.WriteFile(filepath.Join(dir, "link"), []byte("changed"), 0o600)
			return nil
		}},
	{id: "F09", script: `
			for d in "$HOME" /tmp /var/tmp /dev/shm /run; do
				ln -s "$H1" $d/stdout; ln -s "$H1" $d/result; ln -s "$H1" $d/.agb; ln -s "$H1" $d/report.json
			done
			mv "$HOME" "$HOME.old" && ln -s "$H1DIR" "$HOME"
			chmod 0777 "$H1"; chown 12345 "$H1"
			test -n "$BARE" && touch "$H1"`,
		then: changeAll, bare: func(string, *world) []byte { return nil }},
	{id: "F10", script: `
			cd "$HOME"
			$ATTACK links "$H1" /usr/bin/env /etc/passwd /proc/self/exe /proc/1/exe
			echo TRIED`},
	{id: "F16", script: `
			$ATTACK openwrite /proc/1/exe /proc/self/exe /usr/bin/env /bin/sh
			for p in /proc/[0-9]*; do (echo x >>$p/exe) && echo "WIN wrote $p/exe"; done 2>/dev/null
			printf '#!/proc/self/exe\n' >s; chmod 755 s; ./s; LD_PRELOAD=./s true
			echo TRIED`},
	{id: "F21", script: `
			$ATTACK openwrite /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/overcommit_memory \
				/proc/sys/vm/drop_caches /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/hostname /proc/sys/user/max_user_namespaces \
				/proc/sys/fs/binfmt_misc/register /proc/sysrq-trigger /proc/kcore /proc/kmsg /dev/kmsg /dev/mem /proc/acpi/wakeup \
				/proc/irq/default_smp_affinity /proc/bus/pci/00/00.0 /sys/kernel/uevent_helper /sys/power/state
			find /sys/fs/cgroup -name 'cgroup.procs' -writable 2>/dev/null | sed 's/^/WIN /'
			echo TRIED`},
	{id: "F23", script: `
		while read -r _ _ _ _ at options _; do
			case $at in /tmp|/var/tmp|/home/user|/dev/shm|/dev/pts|/run|/proc) ;; *) case $options in rw*) echo "WIN $at is $options";; esac;; esac
			case $options in *nosuid*) ;; *) echo "WIN $at is $options";; esac
		done </proc/self/mountinfo
		echo TRIED`},
	{id: "F24", script: `cd "$HOME"; $ATTACK mounts; echo TRIED`},
	{id: "F22", script: `
			dirs="/ /usr /usr/bin /etc /dev /proc /lib"; test -n "$BARE" && dirs=.
			for d in $dirs; do touch $d/written && echo "WIN wrote to $d"; done
			echo TRIED`},
	{id: "F36", script: `$ATTACK handles; echo TRIED`},
	{id: "F37", script: `
			cd "$HOME"
			$ATTACK pages $(ls /usr/bin/* | head -20) /etc/passwd /etc/hosts /usr/lib /
			echo TRIED`},
}

// readAll reads files through the client.
func readAll(paths ...string) func(context.Context, *agb.Session, *world) []byte {
	return func(ctx context.Context, s *agb.Session, w *world) (out []byte) {
		for _, path := range paths {
			if res, err := s.FileSystem.ReadFile(ctx, path, nil); err == nil {
				out = append(out, res.Content...)
			}
			if res, err := s.FileSystem.List(ctx, filepath.Dir(path), nil); err == nil {
				for _, e := range res.Entries {
					if e.Name() == filepath.Base(w.file) {
						out = append(out, "WIN listed "+path+"\n"...)
					}
				}
			}
		}
		return out
	}
}

// readBare reads files below a directory.
func readBare(paths ...string) func(string, *world) []byte {
	return func(dir string, _ *world) (out []byte) {
		for _, path := range paths {
			text, _ := os.ReadFile(filepath.Join(dir, path)) // what is there is judged
			out = append(out, text...)
		}
		return out
	}
}

// changeAll changes what links outside lead to, through the client. Whether a
// call succeeds inside does not matter.
func changeAll(ctx context.Context, s *agb.Session, w *world) []byte {
	for _, path := range []string{"link", "dir/canary", "dir/new", "absent", w.file, w.dir + "/new", "/proc/1/root" + w.file, up + w.file, "stdout"} {
		_, _ = s.FileSystem.WriteFile(ctx, path, []byte("changed"), nil)
		_, _ = s.FileSystem.WriteFile(ctx, path, []byte("changed"), &filesystem.WriteOptions{Mode: filesystem.Append})
		_, _ = s.FileSystem.Edit(ctx, path, []filesystem.Edit{{Old: "c", New: "d"}}, nil)
		_, _ = s.FileSystem.Mkdir(ctx, path+"/more", nil)
	}
	for _, path := range []string{"dir/canary", "dir", w.file, w.dir} {
		_, _ = s.FileSystem.Move(ctx, path, "/tmp/moved", nil)
		_, _ = s.FileSystem.Remove(ctx, path, nil)
		_, _ = s.FileSystem.Remove(ctx, strings.TrimSuffix(path, "/")+"/", nil)
	}
	return nil
}
