//go:build linux && (amd64 || arm64)

package layers

import (
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// network brings loopback up, the only interface there is, and names the host.
func (b *builder) network(hostname string) {
	b.Layer(Network)
	if !Without(partNetwork) {
		b.loopback()
	}
	b.call("set the host name", unix.SYS_SETHOSTNAME, b.String(hostname), uintptr(len(hostname)))
}

func (b *builder) loopback() {
	b.Add(tape.Call{
		Step: "open a socket", Nr: unix.SYS_SOCKET, Save: true,
		Args: [6]uintptr{unix.AF_INET, unix.SOCK_DGRAM | unix.SOCK_CLOEXEC, 0},
	})
	// struct ifreq: name, then flags.
	up := &struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: unix.IFF_UP | unix.IFF_RUNNING}
	copy(up.name[:], "lo")
	b.openedCall("bring loopback up", unix.SYS_IOCTL, unix.SIOCSIFFLAGS, tape.Hold(b.Tape, up))
	b.openedCall("close the socket", unix.SYS_CLOSE)
}
