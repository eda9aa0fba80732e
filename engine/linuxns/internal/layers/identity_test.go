//go:build linux && (amd64 || arm64)

package layers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArea(t *testing.T) {
	const least = minRanges * RangeSize
	lines := func(list ...int64) string {
		var b strings.Builder
		for i := 0; i < len(list); i += 2 {
			fmt.Fprintf(&b, "%10d %10d %10d\n", list[i], list[i]+5, list[i+1])
		}
		return b.String()
	}
	host := lines(0, 1<<32-1)
	for _, c := range []struct {
		name, users, groups string
		first, end          int64
	}{
		{"host", host, host, areaStart, areaEnd},
		{"exactly the area", lines(areaStart, areaEnd-areaStart), host, areaStart, areaEnd},
		{"one id short", lines(areaStart+1, areaEnd-areaStart-1), host, areaStart + RangeSize, areaEnd},
		{"one id short at the end", host, lines(0, areaEnd-1), areaStart - RangeSize, areaEnd - RangeSize},
		{"just enough", lines(0, lowestRange+least), host, lowestRange, lowestRange + least},
		{"one too few", lines(0, lowestRange+least-1), host, 0, 0},
		{"too few groups", host, lines(0, 65536), 0, 0},
		{"one id", lines(0, 1), lines(0, 1), 0, 0},
		{"second line", lines(0, 1, 1, 1<<31), host, areaStart, areaEnd},
		{"highest of several", lines(1<<30, least, lowestRange, least), host, 1 << 30, 1<<30 + least},
		{"split", lines(lowestRange, least/2, lowestRange+least/2, least/2), host, 0, 0},
		{"apart", lines(lowestRange, least), lines(lowestRange+least, least), 0, 0},
		{"empty", "", "", 0, 0},
		{"nonsense", host + "a b c\n", host, 0, 0},
	} {
		first, end := area(parseExtents(strings.NewReader(c.users)), parseExtents(strings.NewReader(c.groups)))
		require.Equal(t, []int64{c.first, c.end}, []int64{first, end}, c.name)
		require.Zero(t, first%RangeSize, c.name)
	}
	require.Greater(t, areaStart, 2000200000, "above what SSSD maps")
	require.Equal(t, 2147352576, areaEnd, "where systemd's foreign ids begin")
}

func TestRangeMap(t *testing.T) {
	require.Equal(t, "0 2000224256 65536", RangeMap(areaStart))
}
