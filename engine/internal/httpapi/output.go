package httpapi

import (
	"strings"
	"unicode/utf8"
)

// outputBudget is how much of a result the two output streams of a program may
// take, encoded: the rest of [resultLimit] is for everything else.
const outputBudget = 12 << 20

// fitOutputs returns as much of the beginnings of two output streams as fits
// into budget when they travel as JSON inside JSON. What one does not need,
// the other may take.
func fitOutputs(a, b []byte, budget int) (fitA, fitB []byte) {
	costA, costB := nestedCost(a), nestedCost(b)
	if costA+costB <= budget {
		return a, b
	}
	shareA := max(budget/2, budget-costB)
	fitA = cutAt(a, shareA)
	return fitA, cutAt(b, budget-nestedCost(fitA))
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

// nestedCost bounds how many bytes b takes as JSON inside JSON. What is not
// UTF-8 travels as base64 too, each wrong byte becomes three, and line
// separators are escaped.
func nestedCost(b []byte) int {
	n, valid := 0, utf8.Valid(b)
	for _, c := range b {
		n += costOf(c, valid)
	}
	return n
}

func costOf(c byte, valid bool) int {
	n := byteCost(c)
	if c >= utf8.RuneSelf {
		n = 3 // U+2028 is three bytes and becomes \\u2028; a wrong byte becomes U+FFFD
	}
	if !valid {
		n += 2
	}
	return n
}

// cutAt returns the longest beginning of b that costs at most budget and does
// not end inside a character.
func cutAt(b []byte, budget int) []byte {
	valid, n := utf8.Valid(b), 0
	for i, c := range b {
		if n += costOf(c, valid); n <= budget {
			continue
		}
		if valid {
			for i > 0 && !utf8.RuneStart(b[i]) {
				i--
			}
		}
		return b[:i]
	}
	return b
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
func asText(b []byte) (text string, exact []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	return replaceInvalid(b), b
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
