//go:build linux && (amd64 || arm64)

package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// Hello is the first message of a launcher.
type Hello struct {
	Groups cgroup.Places
}

// Append appends h to b. It fails when that is longer than HelloLimit.
func (h Hello) Append(b []byte) ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) > HelloLimit {
		return nil, errMalformed
	}
	return append(b, text...), nil
}

// ParseHello decodes one packet.
func ParseHello(b []byte) (Hello, error) {
	var h Hello
	if err := json.Unmarshal(b, &h); err != nil {
		return Hello{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return h, nil
}

// Gone is a message of the launcher.
type Gone struct {
	ID     uint64
	Status uint32        // of wait4; 0 when nothing was forked
	Usage  *driver.Usage // at the end, without Processes; nil where nobody kept account
}

// goneFields are an encoded Gone.
type goneFields struct {
	ID                               uint64
	Status                           uint32
	Accounted                        uint8 // 1, or 0 and then the rest is 0, too
	CPU, MemoryBytes, Peak, OOMKills int64
}

// Append appends g to b.
func (g Gone) Append(b []byte) []byte {
	f := goneFields{ID: g.ID, Status: g.Status}
	if u := g.Usage; u != nil {
		f.Accounted, f.CPU, f.MemoryBytes, f.Peak, f.OOMKills = 1, int64(u.CPU), u.MemoryBytes, u.PeakBytes, u.OOMKills
	}
	b, _ = binary.Append(b, order, f) // fields of fixed size cannot fail
	return b
}

// ParseGone decodes one packet.
func ParseGone(b []byte) (Gone, error) {
	var f goneFields
	if n, err := binary.Decode(b, order, &f); err != nil || n != len(b) {
		return Gone{}, errMalformed
	}
	g := Gone{ID: f.ID, Status: f.Status}
	switch f.Accounted {
	case 0:
		if f != (goneFields{ID: f.ID, Status: f.Status}) {
			return Gone{}, errMalformed
		}
	case 1:
		g.Usage = &driver.Usage{CPU: time.Duration(f.CPU), MemoryBytes: f.MemoryBytes, PeakBytes: f.Peak, OOMKills: f.OOMKills}
	default:
		return Gone{}, errMalformed
	}
	return g, nil
}

// ErrNotFound is the answer to a Find for a sandbox that is gone.
var ErrNotFound = errors.New("control: no such sandbox")

// SendFound answers a Find on the descriptor that came with it: with a pidfd,
// or -1 for none. An owner that does not listen any more does not mind.
func SendFound(answer, pidFD int) {
	var oob []byte
	if pidFD >= 0 {
		oob = unix.UnixRights(pidFD)
	}
	_ = unix.Sendmsg(answer, []byte{0}, oob, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
}

// ReceiveFound takes the answer to a Find from fd, which must be readable. The
// caller must close the pidfd, which is closed on exec.
func ReceiveFound(fd int) (pidFD int, err error) {
	var buf [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(fd, buf[:], oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return -1, err
	}
	fds := Rights(oob[:n])
	if len(fds) != 1 {
		return -1, ErrNotFound
	}
	return fds[0], nil
}

// Rights returns the descriptors that came with a message.
func Rights(oob []byte) []int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) == 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return nil
	}
	return fds
}
