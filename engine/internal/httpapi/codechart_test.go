package httpapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// plotter returns a coder whose Python has matplotlib imported.
func plotter(t *testing.T) coder {
	t.Helper()
	c := newCoder(t, "python")
	c.needs(t, "matplotlib")
	require.Empty(t, c.shows(t, "import matplotlib.pyplot as plt"))
	return c
}

func TestPythonFigures(t *testing.T) {
	c := plotter(t)
	labels := func(code string) (all []string) {
		for _, item := range c.shows(t, code) {
			switch item[chartMIME] {
			case nil:
				all = append(all, "text")
			default:
				require.True(t, strings.HasPrefix(image(t, item, "image/png"), pngMagic))
				chart, ok := item[chartMIME].(map[string]any)
				require.True(t, ok)
				name, _ := chart["title"].(string)
				if item[wire.ItemMain] == true {
					name = "main " + name
				}
				all = append(all, name)
			}
		}
		return all
	}
	const figure = "\ndef draw(name):\n  fig, ax = plt.subplots()\n  ax.plot([1, 2])\n  ax.set_title(name)\n  return fig\n"
	require.Equal(t, []string{"a", "b"}, labels(figure+"draw('a'); draw('b')\nNone"))
	require.Equal(t, []string{"a", "text", "b"}, labels("draw('a'); plt.show()\ndisplay(1)\ndraw('b'); plt.show(block=False)"))
	require.Equal(t, []string{"main a"}, labels("draw('a')"))
	require.Equal(t, []string{"main b", "a"}, labels("draw('a'); draw('b')"))
	require.Equal(t, []string{"a", "main b"}, labels("display(draw('a'))\ndraw('b')"))
	require.Equal(t, []string{"a"}, labels("draw('a').show()"))
	require.Equal(t, []string{"a"}, labels("draw('a'); plt.savefig('a.svg'); assert '<svg' in open('a.svg').read()"))
	require.Empty(t, labels("f = draw('a'); plt.close(f)"))
	require.Equal(t, []string{"text"}, labels("plt.get_fignums()"))
	require.Equal(t, []string{"main a"}, labels("from matplotlib.figure import Figure\nf = Figure(); f.subplots().set_title('a'); f"))

	r := c.run(t, "draw('a'); 1 / 0")
	failed(t, r, "ZeroDivisionError", "division")
	require.Len(t, r.Results, 1, "what was drawn before")
	require.Equal(t, []string{"text"}, labels("plt.get_fignums()"))

	r = c.run(t, "draw('$\\\\frac$'); None")
	require.Empty(t, r.ExecutionError)
	require.Equal(t, wire.CodeItem{wire.ItemMain: false, "text/plain": "<Figure size 640x480 with 1 Axes>"}, r.Results[0].V)
	require.Contains(t, strings.Join(r.Stderr, ""), "ValueError")
}

// TestPythonChartsFail has what is read of a figure be odd: its picture is
// shown all the same.
func TestPythonChartsFail(t *testing.T) {
	c := plotter(t)
	for _, odd := range []string{"ax.lines[0].get_label = lambda: 1 / 0", "ax.get_title = lambda: object()"} {
		items := c.shows(t, "fig, ax = plt.subplots(); ax.plot([1, 2])\n"+odd+"\nfig")
		require.Len(t, items, 1, odd)
		require.True(t, strings.HasPrefix(image(t, items[0], "image/png"), pngMagic))
		require.NotContains(t, items[0], chartMIME, odd)
	}
}

func TestPythonChartsAreBounded(t *testing.T) {
	c := plotter(t)
	chart := func(code string) map[string]any {
		items := c.shows(t, code+"\nNone")
		require.Len(t, items, 1)
		chart, ok := items[0][chartMIME].(map[string]any)
		require.True(t, ok)
		return chart
	}
	many := chart("for i in range(65): plt.plot([i, i])")
	require.Len(t, many["series"], 64)
	require.Equal(t, true, many["truncated"])
	long := chart("plt.plot(range(9999)); plt.scatter([1, 2], [1, 2])")
	series, ok := long["series"].([]any)
	require.True(t, ok)
	require.Len(t, series[0].(map[string]any)["x"], 9999)
	require.Len(t, series[1].(map[string]any)["x"], 1)
	require.Equal(t, true, long["truncated"])
	require.NotContains(t, chart("plt.plot(range(10000))"), "truncated")
}

// TestPythonWithoutPackages is where none of the packages is installed.
func TestPythonWithoutPackages(t *testing.T) {
	c := newCoder(t, "python")
	require.Empty(t, c.shows(t, "import sys\nfor name in ('matplotlib', 'matplotlib.pyplot', 'pandas', 'PIL', 'numpy'): sys.modules[name] = None"))
	failed(t, c.run(t, "import matplotlib.pyplot"), "ModuleNotFoundError", "matplotlib")
	items := c.shows(t, "class A:\n  def _repr_html_(self): return '<b>'\ndisplay(A(), [1, 2.5])\n{'a': 1}")
	require.Len(t, items, 3)
	require.Equal(t, "<b>", items[0]["text/html"])
	require.Equal(t, "{'a': 1}", items[2]["text/plain"])
}

// TestPythonStartsWithoutMore checks what an interpreter has loaded before it
// needs it, beyond what it loads by itself.
func TestPythonStartsWithoutMore(t *testing.T) {
	c := newCoder(t, "python")
	require.Equal(t, "''", mainResult(t, c.run(t, `
import sys
loaded = set(sys.modules)
import subprocess
own = subprocess.check_output([sys.executable, "-c", "import sys; print(*sys.modules)"], text=True).split()
" ".join(sorted({"json", "inspect", "re", "traceback", "threading", "collections", "importlib.machinery"} & loaded - set(own)))`)))
}

// TestPythonShowsPlotly has classes stand in for those of packages that Debian
// does not have.
func TestPythonShowsPlotly(t *testing.T) {
	c := newCoder(t, "python")
	items := c.shows(t, `
import os, sys
os.mkdir("plotly")
with open("plotly/basedatatypes.py", "w") as f: f.write("""
class BaseFigure:
    def to_json(self): return '{"data":[],"layout":{}}'
    def to_html(self, full_html, include_plotlyjs): return "<div>%s %s" % (full_html, include_plotlyjs)
    def _ipython_display_(self): raise ValueError("not called")
""")
class Finder:
    def find_spec(self, name, path=None, target=None): return None
sys.meta_path.insert(0, Finder())
from plotly.basedatatypes import BaseFigure
class Figure(BaseFigure): pass
Figure().show()
class Chart:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/vnd.vegalite.v5+json": {"mark": "bar", "data": {"values": [{"a": 1}]}}, "text/plain": "<Chart>"}
display(Figure())
Chart()`)
	spec := map[string]any{"data": []any{}, "layout": map[string]any{}}
	for _, item := range items[:2] {
		require.Equal(t, spec, item["application/vnd.plotly.v1+json"])
		require.Equal(t, spec, item["application/json"])
		require.Equal(t, "<div>False cdn", item["text/html"])
	}
	require.Equal(t, wire.CodeItem{
		wire.ItemMain: true, "text/plain": "<Chart>",
		"application/vnd.vegalite.v5+json": map[string]any{"mark": "bar", "data": map[string]any{"values": []any{map[string]any{"a": 1.0}}}},
	}, items[2])
}

// TestPandasCharts are charts that pandas draws, which puts marks of its own to
// axes.
func TestPandasCharts(t *testing.T) {
	c := plotter(t)
	c.needs(t, "pandas")
	items := c.shows(t, `
import pandas
frame = pandas.DataFrame({"u": [1, 2], "v": [3, 4]}, index=["p", "q"])
pandas.Series([1, 2], index=pandas.date_range("2024-01-01", periods=2, freq="D")).plot(); plt.show()
frame.plot.bar(); plt.show()
frame.plot.box(); plt.show()
frame.plot.pie(y="u")
None`)
	require.Len(t, items, 4)
	first := func(item wire.CodeItem) (chart, series map[string]any) {
		chart, ok := item[chartMIME].(map[string]any)
		require.True(t, ok, "%v", item["text/plain"])
		all, ok := chart["series"].([]any)
		require.True(t, ok)
		series, ok = all[0].(map[string]any)
		require.True(t, ok)
		return chart, series
	}
	chart, series := first(items[0])
	require.Equal(t, "time", chart["xScale"])
	require.Equal(t, []any{"2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"}, series["x"])
	chart, series = first(items[1])
	require.Equal(t, "category", chart["xScale"])
	require.Equal(t, []any{"p", "q"}, series["categories"], "bars beside the middle")
	require.Equal(t, "u", series["label"])
	_, series = first(items[2])
	require.Equal(t, "u", series["label"])
	require.InDelta(t, 1.5, series["median"], 0)
	_, series = first(items[3])
	require.Equal(t, []any{"p", "q"}, series["labels"])
}
