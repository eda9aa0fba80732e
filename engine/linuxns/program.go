//go:build linux && (amd64 || arm64)

package linuxns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/agb-go/sdk/apierr"
)

// programs are what a runtime's processes run, in memory.
type programs struct {
	launcher *os.File // this program
	guest    *os.File // the same, or that of Config.GuestBinary
	dynamic  bool     // whether the guest needs a dynamic linker
}

// newPrograms copies this program, and the guest's unless that is "".
func newPrograms(guest string) (*programs, error) {
	own, err := newImage(self)
	if err != nil {
		return nil, err
	}
	p := &programs{launcher: own, guest: own}
	if guest != "" {
		if p.guest, err = newImage(guest); err != nil {
			_ = own.Close() // unused
			return nil, fmt.Errorf("guest: %w", err)
		}
	}
	if p.dynamic, err = interpreted(p.guest); err != nil {
		p.close()
		return nil, fmt.Errorf("read the guest's program: %w", err)
	}
	return p, nil
}

// close frees the copies. Those who run one have it still.
func (p *programs) close() {
	_, _ = p.launcher.Close(), p.guest.Close() // in memory, sealed; the same one twice does no harm
}

// errDynamic says that the guest would load its libraries from an image, and
// thus run code of the image's as the guest.
var errDynamic = errors.New("the guest's program is dynamically linked, and would take its libraries from the image")

func explainDynamic() *apierr.Error {
	return (&apierr.Error{Code: apierr.FailedPrecondition, Message: errDynamic.Error(), Cause: errDynamic}).
		WithHint("build this program with CGO_ENABLED=0, or build a guest and name it in linuxns.Config.GuestBinary")
}

// Of ELF, see elf(5), as on all 64-bit machines.
const (
	elfHeader  = 64
	elfProgram = 56
	elfPhOff   = 32 // offset of the program headers, 8 bytes
	elfPhSize  = 54 // size of each, 2 bytes
	elfPhNum   = 56 // number, 2 bytes
	elfInterp  = 3  // PT_INTERP, in the first 4 bytes of a program header
)

// interpreted reports whether a program names an interpreter, the dynamic
// linker.
func interpreted(program io.ReaderAt) (bool, error) {
	var head [elfHeader]byte
	if _, err := program.ReadAt(head[:], 0); err != nil || string(head[:5]) != "\x7fELF\x02" {
		return false, errors.Join(errors.New("no 64-bit ELF program"), err)
	}
	order := binary.NativeEndian
	offset, size := int64(order.Uint64(head[elfPhOff:])), int64(order.Uint16(head[elfPhSize:]))
	if size != elfProgram || offset < 0 {
		return false, errors.New("no 64-bit ELF program")
	}
	for i := range int64(order.Uint16(head[elfPhNum:])) {
		var kind [4]byte
		if _, err := program.ReadAt(kind[:], offset+i*size); err != nil {
			return false, err
		}
		if order.Uint32(kind[:]) == elfInterp {
			return true, nil
		}
	}
	return false, nil
}
