package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Bounds of a report.
const (
	maxItems     = 1000     // results
	maxForms     = 16       // representations of one result
	maxFormDepth = 64       // of one that is JSON
	maxErrorText = 64 << 10 // bytes of each part of an error
)

// Item is a result: one thing in several representations.
type Item struct {
	Main bool           // whether it is what the code evaluated to
	Data map[string]any // by MIME type: text, or whatever JSON is where the type is JSON
}

// report is what a driver says of a run.
type report struct {
	items []Item
	err   *Error
}

var (
	mimeType = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{0,40}/[a-z0-9][a-z0-9.+-]{0,60}$`)
	mimeJSON = regexp.MustCompile(`^application/([a-z0-9.-]+\+)?json$`)
)

// parseReport reads what came from the sandbox. No report is an empty one: the
// interpreter may have ended before it wrote any. The items that were read
// before an error are returned with it.
func parseReport(b []byte, dropped int64) (r report, err error) {
	if dropped > 0 {
		return r, fmt.Errorf("the results are too large: %d bytes", int64(len(b))+dropped)
	}
	if len(b) == 0 {
		return r, nil
	}
	var raw struct {
		Items []struct {
			Main bool                       `json:"main"`
			Data map[string]json.RawMessage `json:"data"`
		} `json:"items"`
		Error *struct {
			Name      string `json:"name"`
			Value     string `json:"value"`
			Traceback string `json:"traceback"`
		} `json:"error"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return r, errors.New("the report is malformed")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("the report is malformed: more than one")
	}
	if e := raw.Error; e != nil {
		r.err = &Error{clip(e.Name), clip(e.Value), clip(e.Traceback)}
	}
	for i, item := range raw.Items {
		if i == maxItems {
			return r, fmt.Errorf("more than %d results", maxItems)
		}
		data, err := parseForms(item.Data)
		if err != nil {
			return r, err
		}
		r.items = append(r.items, Item{Main: item.Main, Data: data})
	}
	return r, nil
}

// parseForms reads the representations of one result.
func parseForms(raw map[string]json.RawMessage) (map[string]any, error) {
	if len(raw) > maxForms {
		return nil, fmt.Errorf("a result has more than %d forms", maxForms)
	}
	data := make(map[string]any, len(raw))
	for mime, b := range raw {
		if !mimeType.MatchString(mime) {
			return nil, errors.New("a result has a form that is no MIME type")
		}
		var text string
		switch err := json.Unmarshal(b, &text); {
		case err == nil:
			data[mime] = text
		case mimeJSON.MatchString(mime) && shallow(b):
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

// clip bounds s, keeping its end, where tracebacks say what happened.
func clip(s string) string {
	if len(s) <= maxErrorText {
		return s
	}
	return "[…]" + strings.ToValidUTF8(s[len(s)-maxErrorText:], "")
}
