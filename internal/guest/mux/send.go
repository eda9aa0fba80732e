package mux

import (
	"encoding/binary"
	"time"
)

const (
	stallStrikes = 5
	stallTick    = WriteTimeout / stallStrikes
)

// put queues a frame without payload. It never waits. The lock is held.
func (s *Session) put(h header) { s.queue = appendHeader(s.queue, h) }

// putWindow queues a window frame. The lock is held.
func (s *Session) putWindow(id uint32, grant int) {
	s.put(header{length: windowSize, stream: id, kind: kindWindow})
	s.queue = binary.BigEndian.AppendUint32(s.queue, uint32(grant))
}

// flush writes what is queued, once, unless somebody else is writing, who
// will then see to it. It blocks while the connection does.
func (s *Session) flush() {
	s.mu.Lock()
	if s.writing || s.err != nil || len(s.queue) == 0 {
		tooMuch := s.err == nil && len(s.queue) > queueHardLimit
		s.mu.Unlock()
		if tooMuch {
			s.fail(ErrStalled)
		}
		return
	}
	s.writing = true
	batch := s.queue
	s.queue = s.spare[:0]
	s.spare = nil
	s.mu.Unlock()

	err := s.write(batch)

	s.mu.Lock()
	s.writing = false
	if len(s.streams) > 0 || cap(batch) <= keepBuffer {
		s.spare = batch[:0]
	}
	s.room.Broadcast()
	more := len(s.queue) > 0
	s.mu.Unlock()
	switch {
	case err != nil:
		s.fail(broken(err))
	case more:
		// Others queued meanwhile. They must not keep this caller.
		go s.flush()
	}
}

// write writes b in pieces, each of which must be taken within WriteTimeout.
func (s *Session) write(b []byte) error {
	for len(b) > 0 {
		piece := b[:min(len(b), writePiece)]
		s.watch()
		n, err := s.conn.Write(piece)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if s.accept == nil {
		s.mu.Lock()
		s.stall.Stop()
		s.mu.Unlock()
	}
	return nil
}

// watch starts counting the time of one Write. It counts in strikes, so that
// a process that was stopped for a while gives the other end time to react.
func (s *Session) watch() {
	if s.accept != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes, s.counted = 0, time.Now()
	if s.stall == nil {
		s.stall = time.AfterFunc(stallTick, s.strike)
	} else {
		s.stall.Reset(stallTick)
	}
}

func (s *Session) strike() {
	s.mu.Lock()
	over := false
	// One that comes early is of the Write before.
	if now := time.Now(); s.writing && s.err == nil && now.Sub(s.counted) >= stallTick/2 {
		s.strikes++
		s.counted = now
		over = s.strikes >= stallStrikes
		if !over {
			s.stall.Reset(stallTick)
		}
	}
	s.mu.Unlock()
	if over {
		s.fail(ErrStalled)
	}
}
