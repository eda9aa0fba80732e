package kernel

import (
	"bytes"
	"errors"
	"strconv"
)

// Bounds of what a driver says.
const (
	headLimit = 32       // bytes of a frame's first line
	itemLimit = 16 << 20 // bytes of a result
	doneLimit = 4 << 20  // bytes of how a run ended, of which maxErrorText are kept of each part
)

var errFrame = errors.New("the interpreter was ended: something in it wrote to its driver's socket, descriptor 3, what the driver cannot mean")

// frames takes what a driver says apart. A frame is a line with its kind and
// the length of what follows, in bytes: "item 12\n{\"main\":true".
type frames struct {
	// begin is told what is coming, and says whether it is wanted. take is
	// given what was, whole, or nil for what was not.
	begin func(kind string, size int) (wanted bool, err error)
	take  func(kind string, body []byte) error

	head   []byte
	kind   string
	inBody bool
	wanted bool
	left   int
	body   []byte
}

// Write takes in some bytes of frames. An error stays: what follows has no
// meaning.
func (f *frames) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		var err error
		if f.inBody {
			p, err = f.more(p)
		} else {
			p, err = f.first(p)
		}
		if err != nil {
			return total - len(p), err
		}
	}
	return total, nil
}

// first takes in bytes of a frame's first line.
func (f *frames) first(p []byte) (rest []byte, err error) {
	n := bytes.IndexByte(p, '\n')
	line := p
	if n >= 0 {
		line = p[:n]
	}
	if len(f.head)+len(line) > headLimit {
		return nil, errFrame
	}
	f.head = append(f.head, line...)
	if n < 0 {
		return nil, nil
	}
	kind, text, ok := bytes.Cut(f.head, []byte(" "))
	size, err := strconv.ParseUint(string(text), 10, 31)
	if !ok || err != nil {
		return nil, errFrame
	}
	f.kind, f.left, f.inBody = string(kind), int(size), true
	f.head, f.body = f.head[:0], nil
	if f.wanted, err = f.begin(f.kind, f.left); err != nil {
		return nil, err
	}
	return f.more(p[n+1:])
}

// more takes in bytes of a frame's body.
func (f *frames) more(p []byte) (rest []byte, err error) {
	n := min(f.left, len(p))
	if f.left -= n; f.wanted {
		f.body = append(f.body, p[:n]...)
	}
	if f.left > 0 {
		return p[n:], nil
	}
	f.inBody = false
	body := f.body
	if f.body = nil; f.wanted && body == nil {
		body = []byte{}
	}
	return p[n:], f.take(f.kind, body)
}
