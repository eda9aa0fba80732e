package kernel

import (
	"fmt"
	"strings"
)

const (
	shellFile   = "cell.sh" // the name of a shell's code in messages
	sourceLimit = 200       // bytes of a line of source in a traceback
	placeLimit  = 64        // bytes of what a driver says of a place
)

// place is where a command of a shell's code has failed. The zero place is
// none.
type place struct {
	Status int `json:"status"`
	Line   int `json:"line"`
}

// traceback returns the traceback of e, which code has ended with in a status:
// the line of the command that failed, as sourceLine has it, and e. It is empty
// when that command has failed with another status, or is in no line of code.
func (p place) traceback(code string, status int, e *Error) string {
	if p.Status != status {
		return ""
	}
	line := sourceLine(strings.Split(code, "\n"), p.Line, fmt.Sprintf("%s:%d: ", shellFile, p.Line))
	if line == "" {
		return ""
	}
	return line + e.Name + ": " + e.Value + "\n"
}

// sourceLine returns a line of src by its number, from 1, bounded and after a
// prefix, as a line of a traceback; it is empty when there is none.
func sourceLine(src []string, number int, prefix string) string {
	if number < 1 || number > len(src) {
		return ""
	}
	line := strings.TrimSpace(src[number-1])
	if line == "" {
		return ""
	}
	return prefix + short(line) + "\n"
}

// short bounds a line.
func short(line string) string {
	if len(line) <= sourceLimit {
		return line
	}
	return strings.ToValidUTF8(line[:sourceLimit], "") + "…"
}
