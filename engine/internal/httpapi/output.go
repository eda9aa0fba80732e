package httpapi

import (
	"io"
	"strings"
	"unicode/utf8"
)

// outputBudget is how much of a result the two output streams of a program may
// take, encoded: the rest of [resultLimit] is for everything else.
const outputBudget = 14 << 20

// unfinished returns how many bytes at the end of b may be the beginning of a
// character.
func unfinished(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if end := b[len(b)-n:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return n
		}
	}
	return 0
}

// fitOutputs returns as much of the beginnings of two output streams as fits
// into budget when they travel as JSON inside JSON. What one does not need,
// the other may take.
func fitOutputs(a, b pieces, budget int) (fitA, fitB pieces) {
	if mostCost*(a.size()+b.size()) <= budget {
		return a, b
	}
	costA, costB := a.cost(), b.cost()
	if costA+costB <= budget {
		return a, b
	}
	shareA := max(budget/2, budget-costB)
	fitA = a.cutAt(shareA)
	return fitA, b.cutAt(budget - fitA.cost())
}

// byteCost is how many bytes c takes as JSON inside JSON.
func byteCost(c byte) int {
	switch {
	case c == '"' || c == '\\':
		return 4
	case c == '\n' || c == '\r' || c == '\t':
		return 3
	case c < 0x20:
		return 7
	default:
		return 1
	}
}

// mostCost is the most that a byte can take: a control character beside what is
// not UTF-8.
const mostCost = 9

// cost bounds how many bytes p takes as JSON inside JSON. What is not UTF-8
// travels as base64 too.
func (p pieces) cost() int {
	n, valid := 0, p.valid()
	for b, err := range p.all() {
		if err != nil {
			return mostCost * p.size()
		}
		for len(b) > 0 {
			cost, size := firstCost(b, valid)
			n += cost
			b = b[size:]
		}
	}
	return n
}

// nestedCost is cost of one piece.
func nestedCost(b []byte) int { return inMemory(b).cost() }

// firstCost returns what the first character of b, or wrong byte, takes, and its
// size. valid says that all of b is UTF-8.
func firstCost(b []byte, valid bool) (cost, size int) {
	size = 1
	if b[0] < utf8.RuneSelf {
		cost = byteCost(b[0])
	} else {
		var r rune
		r, size = utf8.DecodeRune(b)
		switch r {
		case '\u2028', '\u2029':
			cost = len(`\\u2028`)
		case utf8.RuneError:
			cost = len("\uFFFD")
		default:
			cost = size
		}
	}
	if !valid {
		cost += 2 * size
	}
	return cost, size
}

// cutAt returns the longest beginning of p that costs at most budget and does
// not end inside a character. It ends before what cannot be read.
func (p pieces) cutAt(budget int) pieces {
	i, valid := 0, p.valid()
	for b, err := range p.all() {
		if err != nil {
			return p[:i]
		}
		for end := 0; end < len(b); {
			cost, size := firstCost(b[end:], valid)
			if budget -= cost; budget < 0 {
				return append(p[:i:i], p[i].beginning(end))
			}
			end += size
		}
		i++
	}
	return p
}

// encodedLen returns how many bytes s takes as a JSON string.
func encodedLen(s string) int {
	n := 2
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
			n += 2
		case r < 0x20 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError && size == 1:
			n += 6
		default:
			n += size
		}
		s = s[size:]
	}
	return n
}

// asText returns output as text, and, when that is not exact, as bytes too.
// Each byte that is not part of a character becomes one U+FFFD.
func (h *holes) asText(p pieces) (text string, exact []byte) {
	if p.valid() {
		return h.text(p), nil
	}
	return h.text(p), h.bytes(p)
}

func replaceInvalid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	s.Grow(len(b) + 64)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		s.WriteRune(r)
		b = b[size:]
	}
	return s.String()
}

// nestedPiece is how much is encoded before it is written.
const nestedPiece = 32 << 10

// writeNested writes text as package json encodes a string within a string,
// without escaping for HTML and without the quotes. What is not UTF-8 is
// replaced.
func writeNested(w io.Writer, p pieces) error {
	const widest = 8 // of what one character becomes
	out := make([]byte, 0, nestedPiece+widest)
	for b, err := range p.all() {
		if err != nil {
			return err
		}
		for len(b) > 0 {
			r, size := rune(b[0]), 1
			if r >= utf8.RuneSelf {
				r, size = utf8.DecodeRune(b)
			}
			b = b[size:]
			if out = appendNested(out, r); len(out) < nestedPiece {
				continue
			}
			if _, err := w.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	_, err := w.Write(out)
	return err
}

// appendNested appends one character.
func appendNested(out []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(out, '\\', '\\', '\\', byte(r))
	case r == '\n':
		return append(out, `\\n`...)
	case r == '\r':
		return append(out, `\\r`...)
	case r == '\t':
		return append(out, `\\t`...)
	case r == '\b':
		return append(out, `\\b`...)
	case r == '\f':
		return append(out, `\\f`...)
	case r < ' ':
		return append(out, '\\', '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
	case r == '\u2028' || r == '\u2029':
		return append(out, '\\', '\\', 'u', '2', '0', '2', hex[r&0xf])
	}
	return utf8.AppendRune(out, r)
}
