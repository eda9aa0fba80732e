package wire

import (
	"encoding/json"
	"sync"
)

// PartsWriter writes JSON that may be longer than a frame, in frames of which
// one without content is the last. It is safe for concurrent use.
type PartsWriter struct {
	mu   sync.Mutex
	to   *FrameWriter
	kind FrameKind
}

// NewPartsWriter returns a PartsWriter of frames of one kind.
func NewPartsWriter(to *FrameWriter, kind FrameKind) *PartsWriter {
	return &PartsWriter{to: to, kind: kind}
}

// Send sends v. The error is that of encoding it, or of writing.
func (w *PartsWriter) Send(v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 {
		n := min(len(p), FrameLimit)
		if err := w.to.WriteFrame(w.kind, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return w.to.WriteFrame(w.kind, nil)
}

// Parts puts together what a [PartsWriter] sends. The zero Parts is ready to
// use.
type Parts struct{ b []byte }

// Add takes in the content of a frame. It returns the whole when that was the
// last, and [ErrFrame] when there is more than limit.
func (p *Parts) Add(part []byte, limit int) (whole []byte, err error) {
	if len(part) == 0 {
		whole, p.b = p.b, nil
		if whole == nil {
			whole = []byte{} // which is no JSON
		}
		return whole, nil
	}
	if len(p.b)+len(part) > limit {
		return nil, ErrFrame
	}
	p.b = append(p.b, part...)
	return nil, nil
}
