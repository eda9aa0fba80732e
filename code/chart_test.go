package code_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

// plotter returns a session whose Python draws with matplotlib.
func plotter(t *testing.T) *agb.Session {
	t.Helper()
	needs(t, "python3")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Python, "import matplotlib.pyplot as plt", nil)
	require.NoError(t, err)
	if res.Error != nil {
		require.Equal(t, "ModuleNotFoundError", res.Error.Name, "%v", res.Error)
		t.Skip("Python has no package matplotlib")
	}
	return s
}

// draw returns the data of the only chart that the code draws.
func draw(t *testing.T, s *agb.Session, source string) *code.ChartData {
	t.Helper()
	res, err := s.Code.Run(t.Context(), code.Python, source+"\nNone", nil)
	require.NoError(t, err)
	require.Nil(t, res.Error, "%v", res.Error)
	require.Len(t, res.Results, 1)
	it := res.Results[0]
	require.NotEmpty(t, it.PNG)
	require.Nil(t, it.Chart)
	require.NotNil(t, it.ChartData, "%s", it.Raw["application/vnd.agb-go.chart+json"])
	return it.ChartData
}

// texts returns values as text.
func texts(values []code.ChartValue) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = v.String()
	}
	return all
}

func TestChartsOfPoints(t *testing.T) {
	s := plotter(t)
	line := draw(t, s, "plt.plot([1, 2, 3.5], [10, float('nan'), 1000], label='a'); plt.plot([1, 2], [1, 2]); plt.axhline(5)\n"+
		"plt.title('T'); plt.xlabel('X'); plt.ylabel('Y'); plt.yscale('log'); plt.legend()")
	require.Equal(t, code.LineChart, line.Kind)
	require.Equal(t, "T", line.Title)
	require.Equal(t, code.ChartAxis{Label: "X", Scale: code.LinearScale}, line.X)
	require.Equal(t, code.ChartAxis{Label: "Y", Scale: code.LogScale}, line.Y)
	require.Len(t, line.Series, 2, "lines across the chart are no series")
	require.Equal(t, "a", line.Series[0].Label)
	require.Equal(t, []string{"1", "2", "3.5"}, texts(line.Series[0].X))
	require.Equal(t, []string{"10", "", "1000"}, texts(line.Series[0].Y))
	n, ok := line.Series[0].Y[2].Number()
	require.True(t, ok)
	require.InDelta(t, 1000, n, 0)
	_, ok = line.Series[0].Y[1].Number()
	require.False(t, ok, "not a number is a gap")
	require.Empty(t, line.Series[1].Label)

	scatter := draw(t, s, "plt.scatter([1, 2], [3, 4], label='s'); plt.plot([1], [2], 'o')")
	require.Equal(t, code.ScatterChart, scatter.Kind)
	require.Len(t, scatter.Series, 2)
	for _, series := range scatter.Series {
		require.Equal(t, code.ScatterChart, series.Kind)
	}
	require.Equal(t, []string{"3", "4"}, texts(scatter.Series[1].Y))
	require.Equal(t, "s", scatter.Series[1].Label)

	dates := draw(t, s, "import datetime as dt\nplt.plot([dt.datetime(2024, 1, 2, 3, 4, 5), dt.datetime(2024, 1, 3)], [1, 2])")
	require.Equal(t, code.TimeScale, dates.X.Scale)
	moment, ok := dates.Series[0].X[0].Time()
	require.True(t, ok)
	require.True(t, moment.Equal(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)), "%v", moment)

	named := draw(t, s, "plt.plot(['a', 'b'], [1, 2])")
	require.Equal(t, code.ChartAxis{Scale: code.CategoryScale, Ticks: []string{"a", "b"}}, named.X)
	name, ok := named.Series[0].X[1].Name()
	require.True(t, ok)
	require.Equal(t, "b", name)
}

func TestChartsOfBars(t *testing.T) {
	s := plotter(t)
	bars := draw(t, s, "plt.bar(['a', 'b'], [1, 2], label='l'); plt.bar(['a', 'b'], [3, 4], bottom=[1, 2]); plt.legend()")
	require.Equal(t, code.BarChart, bars.Kind)
	require.Equal(t, []string{"a", "b"}, bars.X.Ticks)
	require.Equal(t, code.CategoryScale, bars.X.Scale)
	require.Len(t, bars.Series, 2)
	require.Equal(t, "l", bars.Series[0].Label)
	require.Equal(t, []string{"a", "b"}, texts(bars.Series[0].Categories))
	require.Equal(t, []float64{1, 2}, bars.Series[0].Values)
	require.Nil(t, bars.Series[0].Bases)
	require.Equal(t, []float64{1, 2}, bars.Series[1].Bases)

	written := draw(t, s, "plt.bar([''], [1]); plt.yticks([0, 1], ['none', 'one'])")
	require.Equal(t, code.ChartAxis{Scale: code.LinearScale, Ticks: []string{"none", "one"}}, written.Y)
	require.Equal(t, []string{""}, texts(written.Series[0].Categories))
	_, named := written.Series[0].Categories[0].Name()
	require.True(t, named)

	lying := draw(t, s, "plt.barh([0, 1], [5, 6]); plt.yticks([0, 1], ['u', 'v'])")
	require.True(t, lying.Series[0].Horizontal)
	require.Equal(t, []string{"u", "v"}, texts(lying.Series[0].Categories))
	require.Equal(t, []float64{5, 6}, lying.Series[0].Values)
	require.Equal(t, code.CategoryScale, lying.Y.Scale)

	histogram := draw(t, s, "plt.hist([1, 1, 2], bins=[0.5, 1.5, 2.5])")
	require.Equal(t, []string{"1", "2"}, texts(histogram.Series[0].Categories))
	require.Equal(t, []float64{2, 1}, histogram.Series[0].Values)
	require.Equal(t, code.LinearScale, histogram.X.Scale)

	pie := draw(t, s, "plt.pie([1, 3], labels=['p', 'q'], autopct='%d%%')")
	require.Equal(t, code.PieChart, pie.Kind)
	require.Equal(t, []string{"p", "q"}, pie.Series[0].Labels)
	require.InDeltaSlice(t, []float64{0.25, 0.75}, pie.Series[0].Values, 1e-6)
}

func TestChartsOfBoxesAndGrids(t *testing.T) {
	s := plotter(t)
	grid := draw(t, s, "fig, (left, right) = plt.subplots(1, 2); fig.suptitle('both')\n"+
		"left.boxplot([[1, 2, 3, 4, 50], [2, 3, 4]]); left.set_xticklabels(['l', 'm'])\nright.boxplot([1, 2, 3], vert=False, showmeans=True)")
	require.Equal(t, code.ChartGrid, grid.Kind)
	require.Equal(t, "both", grid.Title)
	require.Zero(t, grid.X)
	require.Len(t, grid.Charts, 2)
	left, right := grid.Charts[0], grid.Charts[1]
	require.Equal(t, code.BoxChart, left.Kind)
	require.Len(t, left.Series, 2)
	require.Equal(t, "l", left.Series[0].Label)
	require.Equal(t, &code.ChartBox{Min: 1, Q1: 2, Median: 3, Q3: 4, Max: 4, Outliers: []float64{50}}, left.Series[0].Box)
	require.Nil(t, left.Series[1].Box.Outliers)
	require.Len(t, right.Series, 1)
	require.True(t, right.Series[0].Horizontal)

	mixed := draw(t, s, "plt.bar([0, 1], [1, 2]); plt.plot([0, 1], [1, 2])")
	require.Equal(t, code.BarChart, mixed.Kind)
	require.Equal(t, code.LineChart, mixed.Series[1].Kind)

	heat := draw(t, s, "plt.imshow([[1, 2]]); plt.colorbar()")
	require.Equal(t, code.UnknownChart, heat.Kind)
	require.Empty(t, heat.Series)
	require.True(t, draw(t, s, "plt.plot(range(10001))").Truncated)
}
