package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what a run evaluates to.
const (
	maxItems     = 1000     // results
	maxForms     = 16       // representations of one result
	maxFormDepth = 64       // of one that is JSON
	maxErrorText = 64 << 10 // bytes of each part of an error
	maxText      = 1 << 20  // bytes of a representation that is text
	noteRoom     = 64       // more that a driver may have for saying that it cut it
)

// Item is a result: one thing in several representations.
type Item struct {
	Main      bool           // whether it is what the code evaluated to
	Truncated bool           // whether a representation is cut or left out
	Data      map[string]any // by MIME type: text, or whatever JSON is where the type is JSON
}

// Error is what ended code.
type Error struct {
	Name      string // such as "ZeroDivisionError"
	Value     string // such as "division by zero"
	Traceback string // of several lines; may be empty
}

// Text returns the error with its traceback, as interpreters print it.
func (e *Error) Text() string {
	if e.Traceback != "" {
		return strings.TrimRight(e.Traceback, "\n")
	}
	return e.Name + ": " + e.Value
}

// decode reads JSON of a driver's, strictly.
func decode(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return errFrame
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errFrame
	}
	return nil
}

// parseItem reads a result.
func parseItem(b []byte) (Item, error) {
	var raw struct {
		Main      bool                       `json:"main"`
		Truncated bool                       `json:"truncated"`
		Data      map[string]json.RawMessage `json:"data"`
	}
	if err := decode(b, &raw); err != nil {
		return Item{}, err
	}
	data, err := parseForms(raw.Data)
	item := Item{Main: raw.Main, Truncated: raw.Truncated, Data: data}
	item.cutTexts()
	return item, err
}

// cutTexts bounds the representations that are text, keeping their beginnings.
func (i *Item) cutTexts() {
	cut := false
	for mime, v := range i.Data {
		text, ok := v.(string)
		if !ok || !isText(mime) || len(text) <= maxText+noteRoom {
			continue
		}
		n := maxText
		for !utf8.RuneStart(text[n]) {
			n--
		}
		note := "more is left out" // what the driver left out is not known
		if !i.Truncated {
			note = fmt.Sprintf("%d characters left out", utf8.RuneCountInString(text[n:]))
		}
		i.Data[mime] = text[:n] + "[… " + note + "]"
		cut = true
	}
	i.Truncated = i.Truncated || cut
}

// parseForms reads the representations of one result.
func parseForms(raw map[string]json.RawMessage) (map[string]any, error) {
	if len(raw) > maxForms {
		return nil, fmt.Errorf("a result has more than %d forms", maxForms)
	}
	data := make(map[string]any, len(raw))
	for mime, b := range raw {
		if !isMIME(mime) {
			return nil, errors.New("a result has a form that is no MIME type")
		}
		var text string
		switch err := json.Unmarshal(b, &text); {
		case err == nil:
			data[mime] = text
		case isJSON(mime) && shallow(b):
			data[mime] = b
		default:
			return nil, fmt.Errorf("a result's %s is not text", mime)
		}
	}
	return data, nil
}

// shallow reports whether b, which is JSON, nests no deeper than maxFormDepth.
func shallow(b []byte) bool {
	dec, depth := json.NewDecoder(bytes.NewReader(b)), 0
	for {
		t, err := dec.Token()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxFormDepth {
			return false
		}
	}
}

// ending is how a driver says that a run ended.
type ending struct {
	err     *Error        // nil when it ran to its end
	status  int           // of code that tells no more, 0 when it succeeded
	exits   bool          // whether the interpreter ends, too
	unbuilt bool          // whether the code did not compile
	cpu     time.Duration // that the interpreter has used for it
	maxRSS  int64         // bytes that it has had at most
}

func parseEnding(b []byte) (e ending, err error) {
	var raw struct {
		Error *struct {
			Name      string `json:"name"`
			Value     string `json:"value"`
			Traceback string `json:"traceback"`
		} `json:"error"`
		Status  int   `json:"status"`
		Exit    bool  `json:"exit"`
		Unbuilt bool  `json:"unbuilt"`
		CPU     int64 `json:"cpu_us"`
		MaxRSS  int64 `json:"max_rss"`
	}
	if err := decode(b, &raw); err != nil {
		return e, err
	}
	const longest = int64(1) << 50
	if raw.Status < 0 || raw.Status > 255 || raw.CPU < 0 || raw.CPU > longest || raw.MaxRSS < 0 {
		return e, errFrame
	}
	if r := raw.Error; r != nil {
		e.err = &Error{clip(r.Name), clip(r.Value), clip(r.Traceback)}
	}
	e.exits, e.unbuilt, e.status = raw.Exit, raw.Unbuilt, raw.Status
	e.cpu, e.maxRSS = time.Duration(raw.CPU)*time.Microsecond, raw.MaxRSS
	return e, nil
}

// clip bounds s, keeping its end, where tracebacks say what happened.
func clip(s string) string {
	if len(s) <= maxErrorText {
		return s
	}
	return "[…]" + strings.ToValidUTF8(s[len(s)-maxErrorText:], "")
}
