package endurance

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// faults are the faults that there have to be tests of, or reasons for none.
const faults = `
	E01 E02 E03 E05 E06 E07 E08 E09 E10 E11 E12 E13 E14 E15 E17 E18 E19 E20 E21 E22 E23 E24 E27 E28 E29
	E30 E31 E32 E33 E34 E35 E36 E37 E38 E40 E41 E42 E43 E44 E45 E46 E47 E48 E50`

var (
	faultLine = regexp.MustCompile(`(?m)^//\t(E\d\d) .*$`)
	testName  = regexp.MustCompile(`(?:([a-z/]+)\.)?\b(Test\w+)`)
)

// TestFaults requires that every fault is in the table of the package's
// documentation, and that the tests which the table names exist.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var found []string
	for _, line := range faultLine.FindAllStringSubmatch(string(text), -1) {
		found = append(found, line[1])
		named := testName.FindAllStringSubmatch(line[0], -1)
		require.True(t, len(named) > 0 || strings.Contains(line[0], "not applicable: "), line[0])
		for _, name := range named {
			require.True(t, tests(t, name[1], name[2]), name[0])
		}
	}
	require.True(t, slices.IsSorted(found))
	require.Equal(t, strings.Fields(faults), found)
}

// tests reports whether a folder of the module, or this one, has that test.
func tests(t *testing.T, folder, name string) bool {
	t.Helper()
	dir := "."
	if folder != "" {
		dir = filepath.Join("..", "..", folder)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return strings.Contains(string(text), "\nfunc "+name+"(")
	})
}
