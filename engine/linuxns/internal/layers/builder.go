//go:build linux && (amd64 || arm64)

package layers

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// builder adds calls to a tape under the names of what they achieve.
type builder struct{ *tape.Tape }

// atCWD is AT_FDCWD as an argument of a raw system call.
var atCWD = negative(unix.AT_FDCWD)

func negative(i int) uintptr { return uintptr(i) }

func (b *builder) call(step string, nr uintptr, args ...uintptr) {
	c := tape.Call{Step: step, Nr: nr}
	copy(c.Args[:], args)
	b.Add(c)
}

// openedCall is for the call whose first argument is the descriptor that
// [builder.open] left.
func (b *builder) openedCall(step string, nr uintptr, args ...uintptr) {
	c := tape.Call{Step: step, Nr: nr, Saved: true}
	copy(c.Args[1:], args)
	b.Add(c)
}

func (b *builder) open(path string, flags, perm uintptr) {
	b.Add(tape.Call{
		Step: "open " + path, Nr: unix.SYS_OPENAT,
		Args: [6]uintptr{atCWD, b.String(path), flags | unix.O_CLOEXEC | unix.O_NOFOLLOW, perm}, Save: true,
	})
}

// write writes text to path, which must exist unless flags say otherwise.
func (b *builder) write(path, text string, flags, perm uintptr) {
	b.open(path, unix.O_WRONLY|flags, perm)
	if text != "" {
		b.Add(tape.Call{
			Step: "write " + path, Nr: unix.SYS_WRITE, Saved: true, Want: uintptr(len(text)),
			Args: [6]uintptr{0, b.String(text), uintptr(len(text))},
		})
	}
	b.openedCall("close "+path, unix.SYS_CLOSE)
}

// file makes a file with text in it.
func (b *builder) file(path, text string) { b.write(path, text, unix.O_CREAT|unix.O_EXCL, 0o644) }

// mkfile makes an empty file.
func (b *builder) mkfile(path string) {
	b.call("make "+path, unix.SYS_MKNODAT, atCWD, b.String(path), unix.S_IFREG|0o644, 0)
}

func (b *builder) mkdir(path string, perm uintptr) {
	b.call("make "+path, unix.SYS_MKDIRAT, atCWD, b.String(path), perm)
}

func (b *builder) rmdir(path string) {
	b.call("remove "+path, unix.SYS_UNLINKAT, atCWD, b.String(path), unix.AT_REMOVEDIR)
}

func (b *builder) symlink(target, path string) {
	b.call("link "+path, unix.SYS_SYMLINKAT, b.String(target), atCWD, b.String(path))
}

func (b *builder) chdir(path string) { b.call("enter "+path, unix.SYS_CHDIR, b.String(path)) }

func (b *builder) mount(kind, path string, flags uintptr, options string) {
	b.call("mount "+path, unix.SYS_MOUNT, b.String(kind), b.String(path), b.String(kind), flags, b.String(options))
}

func (b *builder) unmount(path string, flags uintptr) {
	b.call("unmount "+path, unix.SYS_UMOUNT2, b.String(path), flags)
}

// bind shows source, with all that is mounted below it, at path, which must
// exist. attr is added to every mount.
func (b *builder) bind(source, path string, attr uint64) {
	none := b.String("")
	b.call("show "+path, unix.SYS_MOUNT, b.String(source), b.String(path), none, unix.MS_BIND|unix.MS_REC, none)
	if attr != 0 {
		b.attributes(path, attr, unix.AT_RECURSIVE)
	}
}

// attributes adds mount attributes to what is mounted at path.
func (b *builder) attributes(path string, attr uint64, flags uintptr) {
	set := &unix.MountAttr{Attr_set: attr}
	b.call("restrict "+path, unix.SYS_MOUNT_SETATTR,
		atCWD, b.String(path), flags, tape.Hold(b.Tape, set), unsafe.Sizeof(*set))
}

// readOnly are the attributes of everything that is shown from outside.
const readOnly = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV

// bindDir and bindFile make the mount point first.
func (b *builder) bindDir(source, path string) {
	b.mkdir(path, 0o755)
	b.bind(source, path, readOnly)
}

func (b *builder) bindFile(source, path string) {
	b.mkfile(path)
	b.bind(source, path, readOnly)
}
