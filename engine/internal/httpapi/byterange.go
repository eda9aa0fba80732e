package httpapi

import (
	"net/http"
	"strconv"
	"strings"
)

// byteRange is a part of a file, from its first byte to its last.
type byteRange struct{ first, last int64 }

func (b byteRange) length() int64 { return b.last - b.first + 1 }

// maxOffset is more than any file has, and leaves room to count on.
const maxOffset = 1 << 62

// rangeOf returns the range that r asks for, nil for all of a file. One from the
// end, several of them, and one on a condition are all of it: to leave ranges
// out of account is always right.
func rangeOf(r *http.Request) *byteRange {
	header := r.Header.Values("Range")
	if len(header) != 1 || r.Header.Values("If-Range") != nil {
		return nil
	}
	text, ok := strings.CutPrefix(header[0], "bytes=")
	first, last, both := strings.Cut(text, "-")
	b := byteRange{last: maxOffset}
	if !ok || !both || !offset(first, &b.first) || last != "" && !offset(last, &b.last) || b.last < b.first {
		return nil
	}
	return &b
}

// offset reads an offset, which is digits alone.
func offset(text string, into *int64) bool {
	n, err := strconv.ParseUint(text, 10, 62)
	*into = int64(n)
	return err == nil
}
