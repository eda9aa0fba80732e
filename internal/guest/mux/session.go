package mux

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"
)

// Session is one end of a multiplexed connection. It is safe for concurrent
// use.
type Session struct {
	conn   io.ReadWriteCloser
	accept func(*Stream) // nil at the opener's end
	done   chan struct{}
	reader *bufio.Reader

	mu      sync.Mutex
	streams map[uint32]*Stream
	last    uint32 // id of the youngest stream
	err     error  // why the session is over

	room    sync.Cond // the queue got shorter
	queue   []byte    // frames to be written
	spare   []byte    // the buffer of the batch before
	writing bool      // somebody is at it
	stall   *time.Timer
	strikes int       // how often stall fired during one Write
	counted time.Time // when it last did
}

// Opener returns the opening end of a session over conn, which it owns.
func Opener(conn io.ReadWriteCloser) *Session { return start(conn, nil) }

// Acceptor returns the accepting end of a session over conn, which it owns.
// It calls accept for every stream; accept must not block.
func Acceptor(conn io.ReadWriteCloser, accept func(*Stream)) *Session {
	return start(conn, accept)
}

func start(conn io.ReadWriteCloser, accept func(*Stream)) *Session {
	s := &Session{
		conn:    conn,
		accept:  accept,
		done:    make(chan struct{}),
		reader:  bufio.NewReaderSize(conn, readBuffer),
		streams: make(map[uint32]*Stream),
	}
	s.room.L = &s.mu
	go s.read()
	return s
}

// Open opens a stream. It does not block and sends nothing by itself: the
// first Write, CloseWrite or Reset takes the news along.
func (s *Session) Open() (*Stream, error) {
	if s.accept != nil {
		return nil, errors.New("mux: this end does not open streams")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case len(s.streams) >= StreamLimit, s.last == 1<<32-1:
		return nil, ErrTooMany
	}
	s.last++
	st := s.add(s.last)
	s.put(header{stream: st.id, kind: kindOpen})
	return st, nil
}

// Len returns how many streams are open.
func (s *Session) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// Done returns a channel that is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session is over: nil while it is not, [ErrClosed] after
// Close, [ErrGone] when the other end closed the connection.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session and all its streams.
func (s *Session) Close() error {
	s.fail(ErrClosed)
	return nil
}

// fail ends the session. The first reason stays.
func (s *Session) fail(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	if s.stall != nil {
		s.stall.Stop()
	}
	var interrupts []func()
	for _, st := range s.streams {
		st.wake()
		if st.interrupt != nil {
			interrupts = append(interrupts, st.interrupt)
		}
	}
	s.streams = nil
	s.room.Broadcast()
	close(s.done)
	s.mu.Unlock()
	for _, f := range interrupts {
		f()
	}
	_ = s.conn.Close() // the session is over, whatever it says
}

// add makes a stream known. The lock is held.
func (s *Session) add(id uint32) *Stream {
	st := &Stream{session: s, id: id, credit: Window, quota: Window}
	st.readable.L, st.writable.L = &s.mu, &s.mu
	s.streams[id] = st
	return st
}

// settle forgets st if both its directions are over. The lock is held.
func (s *Session) settle(st *Stream) {
	if st.received == 0 || st.sent == 0 {
		return
	}
	delete(s.streams, st.id)
	if len(s.streams) == 0 && cap(s.spare) > keepBuffer {
		s.spare = nil
	}
}

// read takes in frames until the session is over.
func (s *Session) read() {
	for {
		h, err := readHeader(s.reader)
		if errors.Is(err, io.EOF) {
			s.fail(ErrGone)
			return
		}
		if err == nil {
			err = s.receive(h)
		}
		if err != nil {
			s.fail(broken(err))
			return
		}
	}
}

// broken is the reason of a session whose connection failed with err. It is
// never io.EOF, which could be taken for the end of a stream.
func broken(err error) error {
	switch {
	case errors.Is(err, ErrProtocol):
		return err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(ErrGone, err)
}

// receive takes in one frame.
func (s *Session) receive(h header) error {
	if h.kind == kindData {
		return s.receiveData(h)
	}
	var grant uint32
	if h.kind == kindWindow {
		var b [windowSize]byte
		if _, err := io.ReadFull(s.reader, b[:]); err != nil {
			return err
		}
		grant = binary.BigEndian.Uint32(b[:])
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	if h.kind == kindOpen {
		return s.receiveOpen(h.stream)
	}
	defer s.mu.Unlock()
	st := s.streams[h.stream]
	if st == nil {
		if h.stream > s.last {
			return protocolError("frame for a stream that was never opened")
		}
		if h.kind == kindEnd {
			return protocolError("end of a stream that is over")
		}
		return nil // it crossed the last frame of the stream
	}
	return st.receive(h.kind, grant)
}

// receiveOpen takes in an open frame and gives up the lock.
func (s *Session) receiveOpen(id uint32) error {
	var err error
	switch {
	case s.accept == nil:
		err = protocolError("open from the accepting end")
	case id != s.last+1:
		err = protocolError("ids do not count up")
	case len(s.streams) >= StreamLimit:
		err = protocolError("too many streams")
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	s.last = id
	st := s.add(id)
	s.mu.Unlock()
	s.accept(st)
	return nil
}

func (s *Session) receiveData(h header) error {
	n := int(h.length)
	s.mu.Lock()
	st := s.streams[h.stream]
	switch {
	case s.err != nil:
		s.mu.Unlock()
		return s.err
	case st == nil, st.received != 0:
		s.mu.Unlock()
		return protocolError("data for a stream that is not open")
	case n > st.quota:
		s.mu.Unlock()
		return protocolError("more data than was granted")
	}
	st.quota -= n
	if st.closed {
		s.mu.Unlock()
		_, err := s.reader.Discard(n)
		return err
	}
	first, second := st.in.space(n)
	s.mu.Unlock()

	// The space is this goroutine's alone until it is declared filled.
	if _, err := io.ReadFull(s.reader, first); err != nil {
		return err
	}
	if len(second) > 0 {
		if _, err := io.ReadFull(s.reader, second); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !st.closed {
		st.in.filled(n)
		st.readable.Signal()
	}
	return nil
}
