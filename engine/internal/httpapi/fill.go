package httpapi

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/agb-go/sdk/internal/wire"
)

// fillBuffer is how much of an answer with holes is sent at once.
const fillBuffer = 64 << 10

// fill sends body with its holes filled. A client that has gone is not our
// concern; one that gets less than all must not take it for all.
func fill(w io.Writer, body []byte, holes []wire.Hole) {
	out := bufio.NewWriterSize(w, fillBuffer)
	for len(holes) > 0 {
		next, at := nextHole(body, holes)
		if next < 0 {
			panic(http.ErrAbortHandler) // what was encoded does not have them
		}
		hole := holes[next]
		if _, err := out.Write(body[:at]); err != nil {
			return
		}
		if err := hole.Fill(out); err != nil {
			panic(http.ErrAbortHandler)
		}
		body, holes = body[at+len(hole.Mark):], slices.Delete(holes, next, next+1)
	}
	if _, err := out.Write(body); err == nil {
		_ = out.Flush()
	}
}

// nextHole returns which hole comes first in body, and where; -1 when none is
// there.
func nextHole(body []byte, holes []wire.Hole) (next, at int) {
	next = -1
	for i := range holes {
		if k := bytes.Index(body, []byte(holes[i].Mark)); k >= 0 && (next < 0 || k < at) {
			next, at = i, k
		}
	}
	return next, at
}
