// Package guest is the conversation between the engine and the guest: the
// agent that is pid 1 in a sandbox. Both ends are here. The engine has a
// [Client]; the guest answers with [Serve] and a [Handler], which package
// agent implements.
//
// # The conversation
//
// It runs over any byte stream, split into streams by package mux; every call
// is one stream. On it travel records: a kind, a length of four bytes, and
// that many bytes.
//
//	engine                               guest
//	request: run ["cat"] ────────────────▶
//	content "hel" ───────────────────────▶          standard input
//	         ◀──────────────────────────── stdout "hel"
//	content "lo" ────────────────────────▶
//	end ─────────────────────────────────▶          of standard input
//	         ◀──────────────────────────── stdout "lo"
//	         ◀──────────────────────────── result: exit code 0, …
//	         ◀──────────────────────────── end
//
//	request: read "/etc/hosts" 0 0, end ─▶
//	         ◀──────────────────────────── content …
//	         ◀──────────────────────────── result: 173 bytes
//	         ◀──────────────────────────── end
//
//	request: list "/nowhere", end ───────▶
//	         ◀──────────────────────────── error: not exist, ENOENT, "…"
//	         ◀──────────────────────────── end
//
// A long list comes as entries records before its result. A call is given up
// by a reset of the stream. The guest then kills whatever the call started
// and, for run, still sends the result once all of it is gone: this is how
// the engine knows. An answer that ends without a result or an error is a
// protocol error, never a success.
//
// Nothing the guest sends is believed: lengths, counts, numbers, order and
// amounts are checked again at the engine's end, and the first that is wrong
// ends the conversation with [ErrProtocol].
package guest

import (
	"context"
	"io"
	"io/fs"
)

// Version is the version of the protocol. Both ends must have the same.
const Version = 2

// Handler does what a guest is asked for. Its methods are like those of
// [Client] and documented there. It is called from many goroutines at once; a context
// ends when the call is given up.
type Handler interface {
	Hello(ctx context.Context) (Hello, error)
	Run(ctx context.Context, cmd Command) (Exit, error)
	LookPath(ctx context.Context, names ...string) (string, error)
	Signal(ctx context.Context, id uint64, signal int) error
	Resize(ctx context.Context, id uint64, size Size) error
	Stat(ctx context.Context, path string, follow bool) (FileInfo, error)
	List(ctx context.Context, path string) ([]FileInfo, error)
	Read(ctx context.Context, path string, offset, length int64, w io.Writer) (int64, error)
	Write(ctx context.Context, path string, mode WriteMode, perm fs.FileMode, r io.Reader) (int64, error)
	Mkdir(ctx context.Context, path string, perm fs.FileMode) error
	Move(ctx context.Context, from, to string) error
	Remove(ctx context.Context, path string) error
	Search(ctx context.Context, q SearchQuery) (SearchResult, error)
	Edit(ctx context.Context, path string, edits []Edit, dry bool) ([]byte, error)
	Changes(ctx context.Context, path string) ([]Change, error)
	Metrics(ctx context.Context) (Metrics, error)
	Dial(ctx context.Context, network, address string) (io.ReadWriteCloser, error)
	Listen(ctx context.Context, network, address string) (Acceptor, error)
	Files
}

// Acceptor is what listens at the guest's end. It is safe for concurrent use.
// Close ends every Accept.
type Acceptor interface {
	Address() string
	Accept(ctx context.Context) (io.ReadWriteCloser, error)
	Close() error
}
