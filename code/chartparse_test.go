package code

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChart(t *testing.T) {
	chart := parseChart(json.RawMessage(`{"kind":"bar","later":1,"xScale":"time","truncated":true,"series":[
		{"kind":"bar","categories":["2024-01-02T03:04:05.5Z",null],"values":[null,2]},
		{"kind":"line","x":["2024-01-02T00:00:00+01:00"],"y":["c"]},{"kind":"later"}]}`))
	require.NotNil(t, chart)
	require.True(t, chart.Truncated)
	require.Len(t, chart.Series, 3)
	require.True(t, math.IsNaN(chart.Series[0].Values[0]))
	moment, ok := chart.Series[0].Categories[0].Time()
	require.True(t, ok)
	require.Equal(t, time.Date(2024, 1, 2, 3, 4, 5, 5e8, time.UTC), moment)
	require.Equal(t, "2024-01-02T03:04:05.5Z", chart.Series[0].Categories[0].String())
	require.Equal(t, ChartValue{}, chart.Series[0].Categories[1])
	require.Equal(t, []ChartValue{{"c"}}, chart.Series[1].Y)

	for _, malformed := range []string{
		``, `null`, `1`, `{}`, `"x"`, `{"kind":1}`, `{"kind":"grid"}`, `{"kind":"line","charts":[]}`,
		`{"kind":"grid","charts":[{}]}`, `{"kind":"grid","charts":[{"kind":"grid","charts":[]}]}`,
		`{"kind":"line","series":[{}]}`, `{"kind":"line","series":[{"kind":"line","x":[1],"y":[]}]}`,
		`{"kind":"line","series":[{"kind":"line","x":[{}],"y":[1]}]}`, `{"kind":"line","series":[{"kind":"line","x":[1e999],"y":[1]}]}`,
		`{"kind":"line","xScale":"time","series":[{"kind":"line","x":["yesterday"],"y":[1]}]}`,
		`{"kind":"bar","series":[{"kind":"bar","categories":[1],"values":[]}]}`,
		`{"kind":"bar","series":[{"kind":"bar","categories":[1],"values":[1],"bases":[1,2]}]}`,
		`{"kind":"pie","series":[{"kind":"pie","labels":["a"],"values":["1"]}]}`, `{"kind":"pie","series":[{"kind":"pie","values":[1]}]}`,
	} {
		require.Nil(t, parseChart(json.RawMessage(malformed)), malformed)
	}
}
