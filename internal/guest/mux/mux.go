// Package mux carries many byte streams over one.
//
// One end, the opener, is the engine. The other, the acceptor, is the guest,
// and what it sends is hostile: user code may have taken it over. So only the
// opener opens streams, every frame is checked against the state of its
// stream, nothing is kept that was not granted before, nothing is answered
// that could be asked for without end, and the first frame out of order ends
// the session with [ErrProtocol].
//
// # Frames
//
//	length uint32   of the payload, at most FrameLimit
//	stream uint32
//	kind   uint8
//	payload
//
// Numbers are big-endian. The kinds:
//
//	open    from the opener alone; ids count up from 1
//	data    1 to FrameLimit bytes, never more than was granted
//	end     no more data from me
//	reset   no more data from me, and what I sent is void
//	stop    I do not read any more; the answer is reset, unless end was sent
//	window  uint32: you may send me that much more
//
// # A conversation
//
//	opener                          acceptor
//	open 7 ─────────────────────────▶
//	data 7 "request" ───────────────▶
//	end 7 ──────────────────────────▶
//	      ◀──────────────── data 7 "first part"
//	window 7 ───────────────────────▶          the first part was read
//	      ◀──────────────── data 7 "last part"
//	      ◀──────────────── end 7              now nobody knows 7 any more
//
// Each end starts a stream with a credit of Window bytes and is granted more as
// the other reads, so a reader that is slow holds up its own stream alone and
// at most Window bytes of it are kept.
//
// Reset is also how a call is abandoned: it may follow end, and it leaves the
// other direction as it is, so that the acceptor can still say what became of
// the call.
//
// A stream is kept until both directions are over. Frames that crossed the
// last one of these, namely window, reset and stop, are ignored: they need no
// memory. Data or end for a stream that is over is a protocol error.
package mux

import (
	"errors"
	"time"
)

// Limits of a session.
const (
	FrameLimit  = 64 << 10  // bytes of a payload
	Window      = 256 << 10 // bytes of a stream on their way in one direction
	StreamLimit = 1024      // streams at once

	// WriteTimeout ends the opener's session when the acceptor takes nothing
	// for this long. The acceptor waits as long as it takes.
	WriteTimeout = 5 * time.Second
)

const (
	// queueLimit is how many bytes wait to be written before streams wait.
	queueLimit = 256 << 10
	// queueHardLimit adds what is never held up: everything but data.
	queueHardLimit = 2 << 20
	// writePiece is the most that is handed to one Write of the connection,
	// and thus what must be taken within WriteTimeout.
	writePiece = 128 << 10
	// readBuffer holds frames' heads and small frames.
	readBuffer = 8 << 10
	// keepBuffer is the largest buffer kept while no stream is open.
	keepBuffer = 4 << 10
)

// Errors of sessions and streams.
var (
	ErrClosed   = errors.New("mux: closed")
	ErrGone     = errors.New("mux: the other end closed the connection")
	ErrProtocol = errors.New("mux: protocol error")
	ErrReset    = errors.New("mux: stream was reset by the other end")
	ErrStalled  = errors.New("mux: the other end does not read")
	ErrTooMany  = errors.New("mux: too many streams")
)

// A protocolError is an [ErrProtocol] that says which.
type protocolError string

func (e protocolError) Error() string        { return ErrProtocol.Error() + ": " + string(e) }
func (e protocolError) Is(target error) bool { return target == ErrProtocol }
