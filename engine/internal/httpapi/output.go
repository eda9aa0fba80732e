package httpapi

import (
	"strings"
	"unicode/utf8"
)

// outputBudget is how much of a result the two output streams of a program may
// take, encoded: the rest of [resultLimit] is for everything else.
const outputBudget = 14 << 20

// fitOutputs returns as much of the beginnings of two output streams as fits
// into budget when they travel as JSON inside JSON. What one does not need,
// the other may take.
func fitOutputs(a, b []byte, budget int) (fitA, fitB []byte) {
	const most = 9 // that a byte can take: a control character beside what is not UTF-8
	if most*(len(a)+len(b)) <= budget {
		return a, b
	}
	costA, costB := nestedCost(a), nestedCost(b)
	if costA+costB <= budget {
		return a, b
	}
	shareA := max(budget/2, budget-costB)
	fitA = cutAt(a, shareA)
	return fitA, cutAt(b, budget-nestedCost(fitA))
}

// fitBytes is fitOutputs for output that travels as base64 alone.
func fitBytes(a, b []byte, budget int) (fitA, fitB []byte) {
	const padding = 4 // of both together, and what is left of a group of three
	room := max(0, budget/4*3-padding)
	if len(a)+len(b) <= room {
		return a, b
	}
	fitA = a[:min(len(a), max(room/2, room-len(b)))]
	return fitA, b[:min(len(b), room-len(fitA))]
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
// UTF-8 travels as base64 too.
func nestedCost(b []byte) int {
	n, valid := 0, utf8.Valid(b)
	for len(b) > 0 {
		cost, size := firstCost(b, valid)
		n += cost
		b = b[size:]
	}
	return n
}

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

// cutAt returns the longest beginning of b that costs at most budget and does
// not end inside a character.
func cutAt(b []byte, budget int) []byte {
	valid, end := utf8.Valid(b), 0
	for end < len(b) {
		cost, size := firstCost(b[end:], valid)
		if budget -= cost; budget < 0 {
			break
		}
		end += size
	}
	return b[:end]
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
