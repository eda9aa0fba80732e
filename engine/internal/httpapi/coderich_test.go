package httpapi_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/wire"
)

const chartMIME = "application/vnd.agb-go.chart+json"

// needs skips the test where the sandbox's Python does not have all of these
// packages.
func (c coder) needs(t *testing.T, packages ...string) {
	t.Helper()
	for _, p := range packages {
		// What stands in for a package comes from nowhere.
		r := c.run(t, "import importlib.util\ngetattr(importlib.util.find_spec('"+p+"'), 'origin', None) is not None")
		if mainResult(t, r) != "True" {
			t.Skip("Python has no package " + p)
		}
	}
}

// shows runs code, which must not fail, and returns its results.
func (c coder) shows(t *testing.T, code string) []wire.CodeItem {
	t.Helper()
	r := c.run(t, code)
	require.Empty(t, r.ExecutionError)
	items := make([]wire.CodeItem, len(r.Results))
	for i, text := range r.Results {
		items[i] = text.V
	}
	return items
}

// image returns the bytes of an item's image.
func image(t *testing.T, item wire.CodeItem, mime string) string {
	t.Helper()
	text, ok := item[mime].(string)
	require.True(t, ok, "%v", item)
	b, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return string(b)
}

const pngMagic, jpegMagic = "\x89PNG\r\n\x1a\n", "\xff\xd8\xff"

func TestPythonPrintsAsIPython(t *testing.T) {
	c := newCoder(t, "python")
	for code, want := range map[string]string{
		"{3, 1, 2}":                                      "{1, 2, 3}",
		"set(), frozenset({1}), (1,)":                    "(set(), frozenset({1}), (1,))",
		"[int, ValueError('x'), len]":                    "[int, ValueError('x'), <function len(obj, /)>]",
		"a = [1]; a.append(a); a":                        "[1, [...]]",
		"class A: pass\nA":                               "__main__.A",
		"{'k' * 30: list(range(30))}":                    "{'" + strings.Repeat("k", 30) + "': [0,\n  1,\n  2,\n  3,\n  4,\n  5,\n  6,\n  7,\n  8,\n  9,\n  10,\n  11,\n  12,\n  13,\n  14,\n  15,\n  16,\n  17,\n  18,\n  19,\n  20,\n  21,\n  22,\n  23,\n  24,\n  25,\n  26,\n  27,\n  28,\n  29]}",
		"['x' * 40, 'y' * 40]":                           "['" + strings.Repeat("x", 40) + "',\n '" + strings.Repeat("y", 40) + "']",
		"import collections\ncollections.Counter('aab')": "Counter({'a': 2, 'b': 1})",
	} {
		require.Equal(t, want, mainResult(t, c.run(t, code)), code)
	}
	long, ok := mainResult(t, c.run(t, "list(range(1500))")).(string)
	require.True(t, ok)
	require.True(t, strings.HasSuffix(long, " 998,\n 999,\n ...]"), long[len(long)-40:])
	r := c.run(t, "[[0] * 1000 for _ in range(1000)]")
	text, ok := mainResult(t, r).(string)
	require.True(t, ok)
	require.True(t, strings.HasSuffix(text, "[… more is left out]"))
	require.Equal(t, true, r.Results[0].V[wire.ItemTruncated])
	require.Equal(t, "<unprintable list object>", mainResult(t, c.run(t, "x = []\nfor _ in range(100000): x = [x]\nx")))
}

func TestPythonShowsWhatIsOdd(t *testing.T) {
	c := newCoder(t, "python")
	r := c.run(t, `
class Bad:
    def __repr__(self): return "bad"
    def _repr_html_(self): raise ValueError("no html")
    def _repr_png_(self): return b"\x89PNG", {"width": 1}
    def _repr_latex_(self): return None
    def _repr_svg_(self): raise NotImplementedError
Bad()`)
	require.Equal(t, "bad", mainResult(t, r))
	require.Equal(t, wire.CodeItem{wire.ItemMain: true, "text/plain": "bad", "image/png": "iVBORw=="}, r.Results[0].V)
	require.Contains(t, strings.Join(r.Stderr, ""), "ValueError: no html")
	require.NotContains(t, strings.Join(r.Stderr, ""), "NotImplementedError")

	for _, item := range c.shows(t, `
from unittest.mock import MagicMock
class Any:
    def __getattr__(self, name): return lambda *a, **k: "x"
class None_:
    def __getattribute__(self, name): raise RuntimeError(name)
display(MagicMock(), Any(), None_(), Bad)`) {
		require.Len(t, item, 2, "%v", item)
		require.IsType(t, "", item["text/plain"])
	}

	items := c.shows(t, `
class Bundle:
    def _repr_mimebundle_(self, include, exclude):
        return {"text/markdown": "*x*", "No MIME": "x", "application/json": {"n": float("nan"), 1: (2,)}}, {}
    def _repr_markdown_(self): return "not asked"
class Own:
    def _ipython_display_(self): display("own")
display(Own())
display(Bundle(), exclude=["text/plain"])`)
	require.Equal(t, "'own'", items[0]["text/plain"])
	require.Equal(t, wire.CodeItem{
		wire.ItemMain: false, wire.ItemTruncated: true, "text/markdown": "*x*",
		"application/json": map[string]any{"n": nil, "1": []any{2.0}},
	}, items[1])
}

// withoutIPython has Python not find a real IPython. What comes last among what
// finds modules is the driver's.
const withoutIPython = `
import sys
class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return sys.meta_path[-1].find_spec(name, path) if name.startswith("IPython") else None
sys.meta_path.insert(0, Without)
`

func TestPythonStandsInForIPython(t *testing.T) {
	c := newCoder(t, "python")
	items := c.shows(t, withoutIPython+`
from IPython.display import *
from IPython.core.display import HTML
open("x.jpg", "wb").write(b"\xff\xd8\xff.")
display(HTML("<b>"), Markdown("*m*"), Latex("$l$"), Math("x^2"), SVG("<svg/>"), JSON([1]), Javascript("1"), metadata={}, display_id="d")
display(Image(data=b"\x89PNG\r\n\x1a\n."), Image("x.jpg"), Image(filename="x.jpg"), Image(url="http://a.test/b.png"))
handle = display(HTML("<i>"), display_id=True)
handle.update(HTML("<u>"))
display_markdown("*r*", raw=True)
display_html(HTML("<p>"), HTML("<q>"))
display_png(b"\x89PNG\r\n\x1a\n-", raw=True)`)
	for i, want := range []wire.CodeItem{
		{"text/html": "<b>", "text/plain": "<IPython.core.display.HTML object>"}, {"text/markdown": "*m*"}, {"text/latex": "$l$"},
		{"text/latex": `$\displaystyle x^2$`}, {"image/svg+xml": "<svg/>"}, {"application/json": []any{1.0}}, {"application/javascript": "1"},
		{"image/png": base64.StdEncoding.EncodeToString([]byte(pngMagic + "."))},
		{"image/jpeg": base64.StdEncoding.EncodeToString([]byte(jpegMagic + "."))},
		{"image/jpeg": base64.StdEncoding.EncodeToString([]byte(jpegMagic + "."))},
		{"text/html": `<img src="http://a.test/b.png"/>`}, {"text/html": "<i>"}, {"text/html": "<u>"},
		{"text/markdown": "*r*"}, {"text/html": "<p>"}, {"text/html": "<q>"},
		{"image/png": base64.StdEncoding.EncodeToString([]byte(pngMagic + "-"))},
	} {
		for mime, form := range want {
			require.Equal(t, form, items[i][mime], "%d", i)
		}
	}
	require.Len(t, items, 17)
	r := c.run(t, "Image(filename='missing.png')")
	failed(t, r, "FileNotFoundError", "missing.png")
	require.NotContains(t, r.Error.Traceback, "agb", "a frame of the driver shows")
}

// TestPythonDisplaysForIPython is where Python has a real IPython, which has no
// shell of its own here.
func TestPythonDisplaysForIPython(t *testing.T) {
	c := newCoder(t, "python")
	c.needs(t, "IPython")
	r := c.run(t, `
from IPython.display import HTML, Image, display as show, display_markdown, publish_display_data
show(HTML("<b>"))
display_markdown("*m*", raw=True)
publish_display_data({"text/html": "<i>"})
Image(data=b"\x89PNG\r\n\x1a\n" + bytes(60))`)
	require.Empty(t, r.ExecutionError)
	require.Empty(t, r.Stdout)
	require.Len(t, r.Results, 4)
	require.Equal(t, "<b>", r.Results[0].V["text/html"])
	require.Equal(t, "*m*", r.Results[1].V["text/markdown"])
	require.Equal(t, "<i>", r.Results[2].V["text/html"])
	require.Equal(t, pngMagic+strings.Repeat("\x00", 60), image(t, r.Results[3].V, "image/png"))
}

func TestResultsSayWhatIsMissing(t *testing.T) {
	c := newCoder(t, "python")
	items := c.shows(t, `
class P:
    def __repr__(self): return "P"
    def _repr_png_(self): return bytes((10 << 20) + 1)
class D:
    def __repr__(self): return "D"
    def _repr_json_(self):
        d = 1
        for _ in range(65): d = [d]
        return d
display(P(), D())
display({"text/x%d" % i: "" for i in range(17)}, raw=True)
display({"text/html": "x" * ((1 << 20) + 7)}, raw=True)
display({"text/html": "x" * (1 << 20)}, raw=True)`)
	for i, plain := range []string{"P", "D"} {
		require.Equal(t, wire.CodeItem{wire.ItemMain: false, wire.ItemTruncated: true, "text/plain": plain}, items[i])
	}
	require.Len(t, items[2], 16+2)
	require.Equal(t, true, items[2][wire.ItemTruncated])
	require.Contains(t, items[3]["text/html"], "xx[… 7 characters left out]")
	require.Equal(t, true, items[3][wire.ItemTruncated])
	require.NotContains(t, items[4], wire.ItemTruncated)
}

func TestPythonTables(t *testing.T) {
	c := newCoder(t, "python")
	c.needs(t, "pandas", "numpy")
	items := c.shows(t, `
import numpy, pandas
frame = pandas.DataFrame({"n": [1, float("nan")], "s": ["x", None], "t": pandas.to_datetime(["2024-01-02"] * 2)})
display(frame, frame.n, pandas.DataFrame({"n": range(1001)}), numpy.arange(4).reshape(2, 2), pandas.DataFrame([[1, 2]], columns=["a", "a"]))
frame.describe()`)
	require.Len(t, items, 6)
	require.Equal(t, []any{
		map[string]any{"n": 1.0, "s": "x", "t": "2024-01-02T00:00:00.000"}, map[string]any{"n": nil, "s": nil, "t": "2024-01-02T00:00:00.000"},
	}, items[0]["application/json"])
	require.Contains(t, items[0]["text/html"], "<table")
	require.Contains(t, items[0]["text/plain"], "2024-01-02")
	require.Equal(t, map[string]any{"name": "n", "index": []any{0.0, 1.0}, "data": []any{1.0, nil}}, items[1]["application/json"])
	require.Len(t, items[2]["application/json"], 1000)
	require.Equal(t, true, items[2][wire.ItemTruncated])
	require.Contains(t, items[2]["text/html"], "1001 rows")
	require.Equal(t, wire.CodeItem{wire.ItemMain: false, "text/plain": "array([[0, 1],\n       [2, 3]])"}, items[3])
	require.NotContains(t, items[4], "application/json", "two columns have one name")
	require.Contains(t, items[4]["text/plain"], "1")
	require.Equal(t, true, items[5][wire.ItemMain])
}

func TestPythonImages(t *testing.T) {
	c := newCoder(t, "python")
	c.needs(t, "PIL")
	items := c.shows(t, `
from PIL import Image
Image.new("L", (2, 2)).save("x.jpg")
display(Image.open("x.jpg"), Image.new("CMYK", (2, 2)), Image.new("F", (2, 2)))
Image.new("RGBA", (2, 2))`)
	require.Len(t, items, 4)
	for _, item := range items {
		require.True(t, strings.HasPrefix(image(t, item, "image/png"), pngMagic))
		require.Contains(t, item["text/plain"], "image mode=")
	}
	require.True(t, strings.HasPrefix(image(t, items[0], "image/jpeg"), jpegMagic))
	require.NotContains(t, items[1], "image/jpeg")
	require.Equal(t, true, items[3][wire.ItemMain])
}

// TestInterruptedWhileItShows has the time be over while a result is sent: it
// is sent to its end, and the interpreter goes on.
func TestInterruptedWhileItShows(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	c := newCoder(t, "python")
	require.Empty(t, c.shows(t, "x = 5\nclass P:\n  def _repr_png_(self): return bytes(10 << 20)"))
	r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: "python", TimeoutMS: 300, Code: "while True: display(P())"})
	require.True(t, r.TimedOut)
	require.False(t, r.Ended)
	require.Equal(t, "5", mainResult(t, c.run(t, "x")))
}
