package code

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
)

// ChartKind is what a chart or a series of it is.
type ChartKind string

// Kinds of charts. There may be more.
const (
	LineChart    ChartKind = "line"
	ScatterChart ChartKind = "scatter"
	BarChart     ChartKind = "bar"
	PieChart     ChartKind = "pie"
	BoxChart     ChartKind = "box"
	ChartGrid    ChartKind = "grid"    // several charts in one figure
	UnknownChart ChartKind = "unknown" // such as a heat map; it has no series
)

// ChartScale is how an axis places what is on it.
type ChartScale string

// Scales. There may be more, such as "symlog".
const (
	LinearScale   ChartScale = "linear"
	LogScale      ChartScale = "log"
	TimeScale     ChartScale = "time"
	CategoryScale ChartScale = "category"
)

// ChartData is what a chart shows, as data. What is of none of the kinds that
// there are, such as a filled area, is left out.
type ChartData struct {
	// Kind is what all series are; where they differ, the first that there is
	// among pie, box, bar, scatter and line.
	Kind  ChartKind
	Title string
	// X and Y are the axes. A grid has none.
	X, Y ChartAxis
	// Series are in the order bars, lines and boxes, points of a scatter plot.
	Series []ChartSeries
	// Charts are those of a grid, which are no grids themselves.
	Charts []ChartData
	// Truncated reports that data was left out, being too much: of a figure at
	// most 64 series and 10,000 points are told. It is told of a grid as a whole.
	Truncated bool
}

// ChartAxis is an axis of a chart.
type ChartAxis struct {
	Label string
	Scale ChartScale
	// Ticks are the names of categories, or what else the code has put to the
	// axis instead of numbers, in the order of their places.
	Ticks []string
}

// ChartSeries is one line of a chart, its bars of one colour, a pie, a box.
// Which fields are set depends on the kind.
type ChartSeries struct {
	Kind  ChartKind
	Label string
	// X and Y are the points of a line or a scatter plot, and equally many.
	X, Y []ChartValue
	// Categories are where the bars are, the middle of each, and Values how long
	// they are; Bases are where they begin, nil when all begin at 0. They are
	// equally many.
	Categories []ChartValue
	Bases      []float64
	// Values are also the fractions of a pie, which Labels name.
	Values []float64
	Labels []string
	// Horizontal reports that bars or boxes lie, with categories on the y axis.
	Horizontal bool
	// Box are the numbers of a box.
	Box *ChartBox
}

// ChartBox is what a box plot shows of a sample. Min and Max are where its
// whiskers end.
type ChartBox struct {
	Min, Q1, Median, Q3, Max float64
	Outliers                 []float64
}

// ChartValue is what stands at one place of an axis: a number, a moment, the
// name of a category, or nothing, where there is a gap. The zero ChartValue is
// nothing.
type ChartValue struct{ v any }

// Number returns the number that v is.
func (v ChartValue) Number() (n float64, ok bool) {
	n, ok = v.v.(float64)
	return n, ok
}

// Time returns the moment that v is. One without a time zone is in UTC.
func (v ChartValue) Time() (t time.Time, ok bool) {
	t, ok = v.v.(time.Time)
	return t, ok
}

// Name returns the name of the category that v is.
func (v ChartValue) Name() (name string, ok bool) {
	name, ok = v.v.(string)
	return name, ok
}

// String returns v as text, which is empty for nothing.
func (v ChartValue) String() string {
	switch x := v.v.(type) {
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case string:
		return x
	}
	return ""
}

// errChart means that data of a chart contradicts itself.
var errChart = errors.New("code: the chart's data is malformed")

// wireChart is a chart as it travels.
type wireChart struct {
	Kind      ChartKind    `json:"kind"`
	Title     string       `json:"title"`
	XLabel    string       `json:"xLabel"`
	YLabel    string       `json:"yLabel"`
	XScale    ChartScale   `json:"xScale"`
	YScale    ChartScale   `json:"yScale"`
	XTicks    []string     `json:"xTicks"`
	YTicks    []string     `json:"yTicks"`
	Series    []wireSeries `json:"series"`
	Charts    []wireChart  `json:"charts"`
	Truncated bool         `json:"truncated"`
}

// wireSeries is a series as it travels. A null is a gap.
type wireSeries struct {
	Kind        ChartKind  `json:"kind"`
	Label       string     `json:"label"`
	X           []any      `json:"x"`
	Y           []any      `json:"y"`
	Orientation string     `json:"orientation"`
	Categories  []any      `json:"categories"`
	Values      []*float64 `json:"values"`
	Bases       []*float64 `json:"bases"`
	Labels      []string   `json:"labels"`
	Min         *float64   `json:"min"`
	Q1          *float64   `json:"q1"`
	Median      *float64   `json:"median"`
	Q3          *float64   `json:"q3"`
	Max         *float64   `json:"max"`
	Outliers    []*float64 `json:"outliers"`
}

// parseChart reads a chart; nil when there is none or it is malformed.
func parseChart(raw json.RawMessage) *ChartData {
	var w wireChart
	if len(raw) == 0 || json.Unmarshal(raw, &w) != nil {
		return nil
	}
	chart, err := w.export()
	if err != nil {
		return nil
	}
	return &chart
}

func (w *wireChart) export() (ChartData, error) {
	chart := ChartData{Kind: w.Kind, Title: w.Title, Truncated: w.Truncated}
	if w.Kind == "" || (w.Kind == ChartGrid) != (w.Charts != nil) {
		return chart, errChart
	}
	if w.Kind != ChartGrid {
		chart.X, chart.Y = ChartAxis{w.XLabel, w.XScale, w.XTicks}, ChartAxis{w.YLabel, w.YScale, w.YTicks}
	}
	for i := range w.Series {
		series, err := w.Series[i].export(w.XScale, w.YScale)
		if err != nil {
			return chart, err
		}
		chart.Series = append(chart.Series, series)
	}
	for i := range w.Charts {
		part, err := w.Charts[i].export()
		if err != nil || part.Kind == ChartGrid {
			return chart, errChart
		}
		chart.Charts = append(chart.Charts, part)
	}
	return chart, nil
}

func (w *wireSeries) export(x, y ChartScale) (ChartSeries, error) {
	s := ChartSeries{Kind: w.Kind, Label: w.Label, Labels: w.Labels, Horizontal: w.Orientation == "horizontal"}
	categories := x
	if s.Horizontal {
		categories = y
	}
	errs := []error{
		exportValues(&s.X, w.X, x), exportValues(&s.Y, w.Y, y), exportValues(&s.Categories, w.Categories, categories),
	}
	s.Values, s.Bases = numbers(w.Values), numbers(w.Bases)
	if w.Kind == BoxChart {
		s.Box = &ChartBox{number(w.Min), number(w.Q1), number(w.Median), number(w.Q3), number(w.Max), numbers(w.Outliers)}
	}
	if !s.consistent() {
		errs = append(errs, errChart)
	}
	return s, errors.Join(errs...)
}

// consistent reports whether s has as many of each as belong together.
func (s *ChartSeries) consistent() bool {
	switch s.Kind {
	case "":
		return false
	case BarChart:
		return len(s.Categories) == len(s.Values) && (s.Bases == nil || len(s.Bases) == len(s.Values))
	case PieChart:
		return len(s.Labels) == len(s.Values)
	}
	return len(s.X) == len(s.Y)
}

// exportValues reads what stands on an axis of that scale.
func exportValues(to *[]ChartValue, raw []any, scale ChartScale) error {
	for _, v := range raw {
		switch x := v.(type) {
		case nil, float64:
		case string:
			if scale == TimeScale {
				t, err := time.Parse(time.RFC3339Nano, x)
				if err != nil {
					return errChart
				}
				v = t
			}
		default:
			return errChart
		}
		*to = append(*to, ChartValue{v})
	}
	return nil
}

// numbers returns numbers with NaN for gaps.
func numbers(raw []*float64) (all []float64) {
	for _, n := range raw {
		all = append(all, number(n))
	}
	return all
}

func number(n *float64) float64 {
	if n == nil {
		return math.NaN()
	}
	return *n
}
