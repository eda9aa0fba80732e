package mux

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

type kind uint8

const (
	kindOpen kind = iota + 1
	kindData
	kindEnd
	kindReset
	kindStop
	kindWindow
	kindLimit // first that is unknown
)

const (
	headerSize = 9
	windowSize = 4 // payload of a window frame
)

// header is what precedes a payload.
type header struct {
	length uint32
	stream uint32
	kind   kind
}

func appendHeader(b []byte, h header) []byte {
	b = binary.BigEndian.AppendUint32(b, h.length)
	b = binary.BigEndian.AppendUint32(b, h.stream)
	return append(b, byte(h.kind))
}

// readHeader reads a header and checks all that can be checked without
// knowing the stream. It returns io.EOF only between frames.
func readHeader(r *bufio.Reader) (header, error) {
	b, err := r.Peek(headerSize)
	if err != nil {
		if len(b) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return header{}, err
	}
	h := header{
		length: binary.BigEndian.Uint32(b),
		stream: binary.BigEndian.Uint32(b[4:]),
		kind:   kind(b[8]),
	}
	if _, err := r.Discard(headerSize); err != nil {
		return header{}, err
	}
	return h, h.check()
}

func (h header) check() error {
	switch {
	case h.kind == 0 || h.kind >= kindLimit:
		return protocolError("unknown kind of frame")
	case h.stream == 0:
		return protocolError("stream 0")
	case h.kind == kindData && (h.length == 0 || h.length > FrameLimit):
		return protocolError("length of a data frame")
	case h.kind == kindWindow && h.length != windowSize:
		return protocolError("length of a window frame")
	case h.kind != kindData && h.kind != kindWindow && h.length != 0:
		return protocolError("frame with a payload that has none")
	}
	return nil
}
