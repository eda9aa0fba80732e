package mux

import (
	"io"
	"sync"
)

// Stream is one end of a stream. One goroutine may read while another writes;
// every other method is safe for concurrent use.
type Stream struct {
	session *Session
	id      uint32

	// What follows is guarded by session.mu.

	readable sync.Cond
	in       ring
	quota    int  // what the other end may still send
	owed     int  // what was read and not granted again yet
	received kind // kindEnd or kindReset; 0 while neither

	writable sync.Cond
	credit   int  // what may still be sent
	sent     kind // kindEnd or kindReset; 0 while neither
	stopped  bool // the other end does not read any more

	closed    bool // by Close
	interrupt func()
}

// OnInterrupt has f called when the other end resets or stops the stream, and
// when the session ends; at once if that has happened. f must not block. It
// may be called more than once.
func (st *Stream) OnInterrupt(f func()) {
	s := st.session
	s.mu.Lock()
	st.interrupt = f
	happened := s.err != nil || st.stopped || st.received == kindReset
	s.mu.Unlock()
	if happened {
		f()
	}
}

// Read implements io.Reader. It returns io.EOF after the other end's
// CloseWrite, [ErrReset] after its Reset, [ErrClosed] after Close, and the
// session's error when that is over.
func (st *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s := st.session
	s.mu.Lock()
	for st.in.size == 0 {
		if err := st.readError(); err != nil {
			s.mu.Unlock()
			return 0, err
		}
		st.readable.Wait()
	}
	n := st.in.read(p)
	granted := st.grant(n)
	s.mu.Unlock()
	if granted {
		s.flush()
	}
	return n, nil
}

func (st *Stream) readError() error {
	switch {
	case st.closed:
		return ErrClosed
	case st.received == kindEnd:
		return io.EOF
	case st.received == kindReset:
		return ErrReset
	}
	return st.session.err
}

// grant counts n bytes that were read, and grants them again when it is worth
// a frame. It reports whether it queued one.
func (st *Stream) grant(n int) bool {
	st.owed += n
	if st.owed < Window/2 || st.received != 0 || st.session.err != nil {
		return false
	}
	st.session.putWindow(st.id, st.owed)
	st.quota += st.owed
	st.owed = 0
	return true
}

// Write implements io.Writer. It waits while the other end does not read. It
// returns [ErrReset] after the other end's Close, and [ErrClosed] after
// CloseWrite, Reset or Close.
func (st *Stream) Write(p []byte) (int, error) { return st.write(nil, p, false) }

// WriteParts writes head and p, in one frame if they fit. It returns how much
// of both it wrote.
func (st *Stream) WriteParts(head, p []byte) (int, error) { return st.write(head, p, false) }

// WriteLast writes p and closes the writing direction, all at once.
func (st *Stream) WriteLast(p []byte) (int, error) { return st.write(nil, p, true) }

func (st *Stream) write(head, p []byte, last bool) (int, error) {
	s := st.session
	total := 0
	for {
		s.mu.Lock()
		for (st.credit == 0 || len(s.queue) >= queueLimit) && len(head)+len(p) > 0 && st.writeError() == nil {
			if st.credit == 0 {
				st.writable.Wait()
			} else {
				s.room.Wait()
			}
		}
		if err := st.writeError(); err != nil {
			s.mu.Unlock()
			return total, err
		}
		n := min(st.credit, FrameLimit, len(head)+len(p))
		if n > 0 {
			s.put(header{length: uint32(n), stream: st.id, kind: kindData})
			k := min(n, len(head))
			s.queue = append(s.queue, head[:k]...)
			s.queue = append(s.queue, p[:n-k]...)
			head, p = head[k:], p[n-k:]
			st.credit -= n
			total += n
		}
		done := len(head)+len(p) == 0
		if done && last {
			st.finish(kindEnd)
		}
		s.mu.Unlock()
		s.flush()
		if done {
			return total, nil
		}
	}
}

func (st *Stream) writeError() error {
	switch {
	case st.session.err != nil:
		return st.session.err
	case st.stopped:
		return ErrReset
	case st.sent != 0 || st.closed:
		return ErrClosed
	}
	return nil
}

// finish queues the last frame of the writing direction. The lock is held.
func (st *Stream) finish(k kind) {
	st.session.put(header{stream: st.id, kind: k})
	st.sent = k
	st.writable.Broadcast()
	st.session.settle(st)
}

// CloseWrite ends the writing direction: the other end reads io.EOF.
func (st *Stream) CloseWrite() error {
	s := st.session
	s.mu.Lock()
	if err := st.writeError(); err != nil {
		s.mu.Unlock()
		return err
	}
	st.finish(kindEnd)
	s.mu.Unlock()
	s.flush()
	return nil
}

// Reset ends the writing direction and tells the other end that what was
// written is void, also after CloseWrite. Reading goes on. It does not block.
func (st *Stream) Reset() {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.abandon() {
		go s.flush()
	}
}

// abandon queues a reset if that is any use, and reports whether. The lock is
// held.
func (st *Stream) abandon() bool {
	s := st.session
	if s.err != nil || s.streams[st.id] != st || st.sent == kindReset {
		return false
	}
	st.finish(kindReset)
	s.room.Broadcast()
	return true
}

// Close ends both directions. What was received and not read is dropped. After
// CloseWrite and io.EOF it has nothing to do but free memory. It does not
// block; closing twice is no error.
func (st *Stream) Close() error {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.closed {
		return nil
	}
	st.closed = true
	st.in.drop()
	st.wake()
	if s.err != nil || s.streams[st.id] != st {
		return nil
	}
	if st.sent == 0 {
		st.finish(kindReset)
	}
	if st.received == 0 {
		s.put(header{stream: st.id, kind: kindStop})
	}
	s.room.Broadcast()
	go s.flush()
	return nil
}

func (st *Stream) wake() {
	st.readable.Broadcast()
	st.writable.Broadcast()
}

// receive takes in a frame other than open and data. The lock is held.
func (st *Stream) receive(k kind, grant uint32) error {
	s := st.session
	switch k {
	case kindWindow:
		if grant == 0 || int64(st.credit)+int64(grant) > Window {
			return protocolError("grant")
		}
		st.credit += int(grant)
		st.writable.Signal()
		return nil
	case kindEnd:
		if st.received != 0 {
			return protocolError("end after the end")
		}
		st.received = kindEnd
	case kindReset:
		if st.received == kindReset {
			return protocolError("reset after reset")
		}
		st.received = kindReset
		st.in.drop()
	case kindStop:
		if st.stopped {
			return protocolError("stop after stop")
		}
		st.stopped = true
		if st.sent == 0 {
			st.finish(kindReset)
			go s.flush() // the reader must not wait for a write
		}
	}
	st.wake()
	s.settle(st)
	if st.interrupt != nil && k != kindEnd {
		go st.interrupt()
	}
	return nil
}
