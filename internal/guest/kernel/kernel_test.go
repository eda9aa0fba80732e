package kernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"python": "python", "py": "python", "Python3": "python", " PYTHON\n": "python",
		"javascript": "javascript", "js": "javascript", "node": "javascript", "nodejs": "javascript",
		"java": "java", "R": "r", "bash": "bash", "sh": "bash",
	} {
		l, ok := Lookup(name)
		require.True(t, ok, name)
		require.Equal(t, want, l.Name())
	}
	for _, name := range []string{"", "cobol", "python2", "py thon"} {
		_, ok := Lookup(name)
		require.False(t, ok, name)
	}
	require.Equal(t, []string{"python", "javascript", "java", "r", "bash"}, Names())
}

func TestReport(t *testing.T) {
	r, err := parseReport([]byte(`{"items":[{"main":true,"data":{"text/plain":"1","application/json":{"a":[1]},
		"application/vnd.vegalite.v5+json":"text"}}],"error":{"name":"E","value":"v","traceback":"t"}}`), 0)
	require.NoError(t, err)
	require.Equal(t, &Error{"E", "v", "t"}, r.err)
	require.Len(t, r.items, 1)
	require.True(t, r.items[0].Main)
	require.Equal(t, "1", r.items[0].Data["text/plain"])
	require.Equal(t, "text", r.items[0].Data["application/vnd.vegalite.v5+json"])

	r, err = parseReport(nil, 0)
	require.NoError(t, err)
	require.Zero(t, r)
}

func TestReportRefuses(t *testing.T) {
	item := func(data string) string { return `{"items":[{"main":false,"data":{` + data + `}}]}` }
	forms := func(n int) string {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprintf(`"text/x%d":""`, i))
		}
		return item(strings.Join(s, ","))
	}
	items := func(n int) string {
		return `{"items":[` + strings.TrimSuffix(strings.Repeat(`{"main":false,"data":{}},`, n), ",") + `]}`
	}
	nested := func(n int) string {
		return item(`"application/json":` + strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	for _, good := range []string{"{}", `{"items":null,"error":null}`, forms(maxForms), items(maxItems), nested(maxFormDepth)} {
		_, err := parseReport([]byte(good), 0)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		" ", "[]", "{", "{}{}", "{} x", `{"x":1}`, `{"items":{}}`, `{"error":"e"}`, `{"error":{"code":1}}`, `{"items":[{"text/plain":"x"}]}`,
		item(`"text":"x"`), item(`"text/plain":1`), item(`"text/plain":null,"text/html":{}`), item(`"TEXT/PLAIN":"x"`), item(`"a/b\n":"x"`),
		forms(maxForms + 1), items(maxItems + 1), nested(maxFormDepth + 1),
	} {
		_, err := parseReport([]byte(bad), 0)
		require.Error(t, err, bad)
	}
	_, err := parseReport([]byte("{}"), 1)
	require.Error(t, err)
}

func TestErrorsAreClipped(t *testing.T) {
	long := strings.Repeat("€", maxErrorText)
	r, err := parseReport([]byte(`{"error":{"name":"`+long+`","value":"","traceback":"`+long+`end"}}`), 0)
	require.NoError(t, err)
	require.LessOrEqual(t, len(r.err.Name), maxErrorText+len("[…]"))
	require.True(t, strings.HasSuffix(r.err.Text(), "end"))
	require.Equal(t, "E: v", (&Error{Name: "E", Value: "v"}).Text())
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"items":[{"main":true,"data":{"text/plain":"1","application/json":{}}}],"error":{"name":"E"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReport(b, 0)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(r.items), maxItems)
		for _, item := range r.items {
			require.LessOrEqual(t, len(item.Data), maxForms)
		}
	})
}
