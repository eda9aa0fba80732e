package code

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/agb-go/sdk/internal/wire"
)

// MIME types of representations.
const (
	mimeText     = "text/plain"
	mimeHTML     = "text/html"
	mimeMarkdown = "text/markdown"
	mimeLaTeX    = "text/latex"
	mimeSVG      = "image/svg+xml"
	mimePNG      = "image/png"
	mimeJPEG     = "image/jpeg"
	mimeJSON     = "application/json"
	mimeChart5   = "application/vnd.vegalite.v5+json"
	mimeChart4   = "application/vnd.vegalite.v4+json"
	mimeData     = "application/vnd.agb-go.chart+json"
)

// shortNames are other names that representations travel by.
var shortNames = map[string]string{
	"text": mimeText, "html": mimeHTML, "markdown": mimeMarkdown, "latex": mimeLaTeX, "svg": mimeSVG,
	"png": mimePNG, "jpeg": mimeJPEG, "json": mimeJSON, "chart": mimeChart5,
}

// textDepth is how many times an item may be wrapped into JSON text.
const textDepth = 3

// parseItem reads an item: an object, an object as text, or mere text.
func parseItem(raw json.RawMessage) Item {
	fields, ok := itemFields(raw)
	if !ok {
		return Item{Text: str(raw), Raw: map[string]json.RawMessage{mimeText: raw}}
	}
	it := Item{Raw: map[string]json.RawMessage{}}
	if nested, ok := itemFields(fields["mime"]); ok {
		it.take(nested)
	}
	it.take(fields)
	it.Text, it.HTML, it.Markdown = str(it.Raw[mimeText]), str(it.Raw[mimeHTML]), str(it.Raw[mimeMarkdown])
	it.LaTeX, it.SVG = str(it.Raw[mimeLaTeX]), str(it.Raw[mimeSVG])
	it.PNG, it.JPEG = image(it.Raw[mimePNG]), image(it.Raw[mimeJPEG])
	it.JSON = data(it.Raw[mimeJSON])
	if it.Chart = data(it.Raw[mimeChart5]); it.Chart == nil {
		it.Chart = data(it.Raw[mimeChart4])
	}
	it.ChartData = parseChart(data(it.Raw[mimeData]))
	return it
}

// itemFields unwraps raw until it is an object.
func itemFields(raw json.RawMessage) (fields map[string]json.RawMessage, ok bool) {
	for range textDepth {
		if json.Unmarshal(raw, &fields) == nil {
			return fields, fields != nil
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return nil, false
		}
		raw = json.RawMessage(text)
	}
	return nil, false
}

// take takes over the representations among fields, and the marks of a result.
func (it *Item) take(fields map[string]json.RawMessage) {
	for name, value := range fields {
		mime := name
		if long, ok := shortNames[name]; ok {
			mime = long
			if _, ok := fields[long]; ok {
				continue
			}
		}
		switch {
		case name == wire.ItemMain || name == wire.ItemMainSnake:
			it.Main = it.Main || string(value) == "true"
		case name == wire.ItemTruncated:
			it.Truncated = it.Truncated || string(value) == "true"
		case strings.Contains(mime, "/") && string(value) != "null":
			it.Raw[mime] = value
		}
	}
}

// str returns raw as text: a string, the pieces of one, else the JSON itself.
func str(raw json.RawMessage) string {
	var l lines
	if len(raw) == 0 || json.Unmarshal(raw, &l) == nil {
		return string(l)
	}
	return string(raw)
}

// image decodes base64, with or without line breaks; nil when it is none.
func image(raw json.RawMessage) []byte {
	text := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == ' ' {
			return -1
		}
		return r
	}, str(raw))
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}

// data returns raw, or the JSON that is in it as text.
func data(raw json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) == nil && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return raw
}
