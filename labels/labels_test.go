package labels_test

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/labels"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// requireInvalid checks that err is a typed complaint that names what is wrong.
func requireInvalid(t *testing.T, err error, names string) {
	t.Helper()
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, apierr.InvalidArgument, e.Code)
	require.Contains(t, e.Message, names)
}

func TestValidate(t *testing.T) {
	require.NoError(t, labels.Validate(map[string]string{"env": "dev", " team": "a b"}))
	for name, tc := range map[string]struct {
		set   map[string]string
		names string
	}{
		"nil":         {nil, "no labels"},
		"empty":       {map[string]string{}, "no labels"},
		"empty key":   {map[string]string{"": "x"}, `""`},
		"blank key":   {map[string]string{" \t": "x"}, `" \t"`},
		"empty value": {map[string]string{"env": "", "team": "x"}, `"env"`},
		"blank value": {map[string]string{"env": " "}, `"env"`},
	} {
		t.Run(name, func(t *testing.T) { requireInvalid(t, labels.Validate(tc.set), tc.names) })
	}
}

func TestBoundsAtTheLimit(t *testing.T) {
	set := map[string]string{
		strings.Repeat("k", labels.MaxKeyBytes): strings.Repeat("v", labels.MaxValueBytes),
		"agb":                                   "not reserved",
		"länder":                                "Österreich, \"Schweiz\" = 🏔",
	}
	for len(set) < labels.MaxLabels {
		set[strconv.Itoa(len(set))] = "x"
	}
	require.NoError(t, labels.Bounds(set))
	require.NoError(t, labels.Bounds(nil))

	set["one more"] = "x"
	requireInvalid(t, labels.Bounds(set), strconv.Itoa(labels.MaxLabels))
}

func TestBoundsBeyond(t *testing.T) {
	for name, tc := range map[string]struct{ key, value, names string }{
		"long key":         {strings.Repeat("k", labels.MaxKeyBytes+1), "x", `"kkk`},
		"long value":       {"key", strings.Repeat("v", labels.MaxValueBytes+1), `"key"`},
		"key not UTF-8":    {"a\xff", "x", `"a\xff"`},
		"value not UTF-8":  {"key", "\xc3", `"key"`},
		"key with NUL":     {"a\x00b", "x", `"a\x00b"`},
		"value with break": {"key", "a\nb", `"key"`},
		"C1 control":       {"key", "a\u0085b", `"key"`},
		"reserved":         {labels.ReservedPrefix + "owner", "x", labels.ReservedPrefix},
	} {
		t.Run(name, func(t *testing.T) {
			set := map[string]string{tc.key: tc.value}
			before := maps.Clone(set)
			requireInvalid(t, labels.Bounds(set), tc.names)
			require.Equal(t, before, set)
		})
	}
}

func TestErrorsStayShort(t *testing.T) {
	err := labels.Validate(map[string]string{strings.Repeat("k", 1<<20): ""})
	require.Error(t, err)
	require.Less(t, len(err.Error()), 1000)
}
