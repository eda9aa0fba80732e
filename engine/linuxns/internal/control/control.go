//go:build linux && (amd64 || arm64)

// Package control is the conversation between the owner, the process that
// wants sandboxes, and its launcher, the small process that forks them. It
// takes place on a SOCK_SEQPACKET socket pair: one message, one packet.
//
//	owner                                     launcher
//	  |                         Hello{groups}    |  once: where sandboxes have their groups
//	  | <--------------------------------------- |
//	  | Start{ID, what} + [stream, report]       |  fork; the sandbox has both descriptors
//	  | ---------------------------------------> |
//	  |        (report: ready, or what failed)   |
//	  | Find{ID} + [answer]                      |
//	  | ---------------------------------------> |
//	  |        (answer: pidfd of pid 1, or none) |
//	  | Kill{ID}                                 |
//	  | ---------------------------------------> |  SIGKILL to the sandbox's pid 1
//	  |                    Gone{ID, how, usage}  |
//	  | <--------------------------------------- |  pid 1 is reaped, so all are gone
//
// Each Start is answered by exactly one Gone, also when nothing was forked. A
// Find or Kill may come any time after its Start. End of file from the owner,
// however it comes about, means: kill everything, wait, exit.
package control

import (
	"encoding/binary"
	"errors"

	"github.com/agb-go/sdk/engine/driver"
)

// Limits of messages. Each end refuses what is longer.
const (
	RootLimit     = 4095 // bytes of Request.Root
	HostnameLimit = 64   // bytes of Request.Hostname
	RequestLimit  = requestHeader + RootLimit + HostnameLimit
	GoneLimit     = 8 + 4 + 1 + 4*8
	HelloLimit    = 64 << 10
)

// Op is what a request asks for.
type Op uint8

// What the owner may ask for.
const (
	Start Op = iota + 1 // a sandbox
	Trial               // a process with Namespaces that ends at once
	Find                // the pid 1 of the sandbox with that ID
	Kill                // the end of the sandbox with that ID
)

// Request is a message of the owner. With Start and Trial come the descriptors
// of the guest's stream and of the report pipe, in this order; with Find one end
// of a socket for the answer.
type Request struct {
	Op         Op
	ID         uint64
	Namespaces uint64 // of a Trial
	Limits     driver.Limits
	Root       string
	Hostname   string
}

// header is the fixed part of an encoded Request.
type header struct {
	Op                   Op
	ID, Namespaces       uint64
	Limits               [8]int64
	RootLen, HostnameLen uint16
}

const requestHeader = 1 + 8 + 8 + 8*8 + 2 + 2

var errMalformed = errors.New("control: malformed message")

var order = binary.NativeEndian

// Append appends r to b. It fails when a text of r is too long.
func (r *Request) Append(b []byte) ([]byte, error) {
	if len(r.Root) > RootLimit || len(r.Hostname) > HostnameLimit {
		return nil, errMalformed
	}
	l := r.Limits
	b, err := binary.Append(b, order, header{
		Op: r.Op, ID: r.ID, Namespaces: r.Namespaces,
		Limits: [8]int64{
			int64(l.Processes), int64(l.OpenFiles), l.FileBytes, l.DataBytes, l.DiskBytes, l.DiskInodes,
			l.MemoryBytes, int64(l.MilliCPU),
		},
		RootLen: uint16(len(r.Root)), HostnameLen: uint16(len(r.Hostname)),
	})
	if err != nil {
		return nil, err
	}
	return append(append(b, r.Root...), r.Hostname...), nil
}

// ParseRequest decodes one packet.
func ParseRequest(b []byte) (*Request, error) {
	var h header
	n, err := binary.Decode(b, order, &h)
	if err != nil {
		return nil, errMalformed
	}
	b = b[n:]
	if len(b) != int(h.RootLen)+int(h.HostnameLen) || h.Op < Start || h.Op > Kill {
		return nil, errMalformed
	}
	return &Request{
		Op: h.Op, ID: h.ID, Namespaces: h.Namespaces,
		Limits: driver.Limits{
			Processes: int(h.Limits[0]), OpenFiles: int(h.Limits[1]), FileBytes: h.Limits[2],
			DataBytes: h.Limits[3], DiskBytes: h.Limits[4], DiskInodes: h.Limits[5],
			MemoryBytes: h.Limits[6], MilliCPU: int(h.Limits[7]),
		},
		Root: string(b[:h.RootLen]), Hostname: string(b[h.RootLen:]),
	}, nil
}
