package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"python": "python", "py": "python", "Python3": "python", " PYTHON\n": "python",
		"javascript": "javascript", "js": "javascript", "node": "javascript", "nodejs": "javascript",
		"java": "java", "R": "r", "bash": "bash", "sh": "bash", "TS": "typescript", "golang": "go",
	} {
		l, ok := Lookup(name)
		require.True(t, ok, name)
		require.Equal(t, want, l.Name())
	}
	for _, name := range []string{"", "cobol", "python2", "py thon"} {
		_, ok := Lookup(name)
		require.False(t, ok, name)
	}
	require.Equal(t, []string{"python", "javascript", "typescript", "java", "r", "bash", "go"}, Names())
}

// heard is what a driver said.
type heard struct {
	kind string
	size int
	body []byte // nil when it was not wanted
}

// hear has frames take text apart in pieces of so many bytes, of which it wants
// all but those of the kind "not".
func hear(text string, piece int) (all []heard, err error) {
	f := frames{
		begin: func(kind string, size int) (bool, error) {
			if kind == "bad" {
				return false, errFrame
			}
			all = append(all, heard{kind, size, nil})
			return kind != "not", nil
		},
		take: func(kind string, body []byte) error {
			last := &all[len(all)-1]
			if last.kind != kind || body != nil && len(body) != last.size {
				return errors.New("another frame")
			}
			last.body = body
			return nil
		},
	}
	for len(text) > 0 && err == nil {
		n := min(piece, len(text))
		_, err = f.Write([]byte(text[:n]))
		text = text[n:]
	}
	return all, err
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 1000)
	text := "item 3\nabcdone 0\nnot 5\n12345item 1000\n" + long
	want := []heard{{"item", 3, []byte("abc")}, {"done", 0, []byte{}}, {"not", 5, nil}, {"item", 1000, []byte(long)}}
	for _, piece := range []int{1, 2, 3, 7, 64, len(text)} {
		got, err := hear(text, piece)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{
		"\n", "item\n", "item \n", "item x\n", "item -1\n", "item 1 2\n", "item 99999999999\n", "item 4294967296\n", "bad 1\n",
		strings.Repeat("x", headLimit+1), "item 1\nx" + strings.Repeat("y", headLimit+1),
	} {
		for _, piece := range []int{1, 1000} {
			_, err := hear(bad, piece)
			require.ErrorIs(t, err, errFrame, "%q", bad)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add("item 3\nabcdone 0\nnot 5\n12345", 3)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		if piece < 1 {
			return
		}
		whole, err := hear(text, len(text)+1)
		pieces, err2 := hear(text, piece)
		require.Equal(t, err == nil, err2 == nil)
		require.Equal(t, whole, pieces)
	})
}

func TestItems(t *testing.T) {
	item, err := parseItem([]byte(`{"main":true,"data":{"text/plain":"1","application/json":{"a":[1]},"application/vnd.vegalite.v5+json":"text"}}`))
	require.NoError(t, err)
	require.True(t, item.Main)
	require.Equal(t, map[string]any{
		"text/plain": "1", "application/json": json.RawMessage(`{"a":[1]}`), "application/vnd.vegalite.v5+json": "text",
	}, item.Data)

	item, err = parseItem([]byte(`{"truncated":true}`))
	require.NoError(t, err)
	require.Equal(t, Item{Truncated: true, Data: map[string]any{}}, item)

	data := func(data string) string { return `{"main":false,"data":{` + data + `}}` }
	forms := func(n int) string {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprintf(`"text/x%d":""`, i))
		}
		return data(strings.Join(s, ","))
	}
	nested := func(n int) string {
		return data(`"application/json":` + strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	for _, good := range []string{"{}", data(""), forms(maxForms), nested(maxFormDepth)} {
		_, err := parseItem([]byte(good))
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", " ", "[]", "{", "{}{}", "{} x", `{"x":1}`, `{"data":[]}`, `{"text/plain":"x"}`, `{"truncated":1}`,
		data(`"text":"x"`), data(`"text/plain":1`), data(`"text/plain":null,"text/html":{}`), data(`"TEXT/PLAIN":"x"`), data(`"a/b\n":"x"`),
		forms(maxForms + 1), nested(maxFormDepth + 1),
	} {
		_, err := parseItem([]byte(bad))
		require.Error(t, err, bad)
	}
}

// Text is bounded whatever its driver does; what that has cut is left as it is.
func TestItemTexts(t *testing.T) {
	parsed := func(truncated bool, mime, text string) Item {
		t.Helper()
		item, err := parseItem(fmt.Appendf(nil, `{"truncated":%t,"data":{%q:%q}}`, truncated, mime, text))
		require.NoError(t, err)
		return item
	}
	long := strings.Repeat("x", maxText)
	item := parsed(false, "text/plain", long)
	require.False(t, item.Truncated)
	require.Equal(t, long, item.Data["text/plain"])

	noted := long + "[… 7 characters left out]"
	require.Equal(t, noted, parsed(true, "text/html", noted).Data["text/html"])

	item = parsed(false, "text/plain", long+long)
	require.True(t, item.Truncated)
	require.Equal(t, fmt.Sprintf("%s[… %d characters left out]", long, maxText), item.Data["text/plain"])
	require.Equal(t, long+"[… more is left out]", parsed(true, "image/svg+xml", long+noted).Data["image/svg+xml"])

	item = parsed(false, "text/plain", strings.Repeat("€", maxText))
	euros := maxText / len("€")
	require.Equal(t, fmt.Sprintf("%s[… %d characters left out]", strings.Repeat("€", euros), maxText-euros), item.Data["text/plain"])

	item = parsed(false, "image/png", long+long)
	require.False(t, item.Truncated)
	require.Equal(t, long+long, item.Data["image/png"])
}

func TestEndings(t *testing.T) {
	e, err := parseEnding([]byte(`{"error":{"name":"E","value":"v","traceback":"t"},"status":3,"exit":true,"cpu_us":7,"max_rss":9}`))
	require.NoError(t, err)
	require.Equal(t, ending{err: &Error{"E", "v", "t"}, status: 3, exits: true, cpu: 7000, maxRSS: 9}, e)
	for _, good := range []string{"{}", `{"error":null}`, `{"status":255}`} {
		_, err := parseEnding([]byte(good))
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", "[]", "{}{}", `{"x":1}`, `{"error":"e"}`, `{"error":{"code":1}}`, `{"status":-1}`, `{"status":256}`, `{"cpu_us":-1}`,
		`{"cpu_us":9000000000000000000}`, `{"max_rss":-1}`, `{"exit":1}`,
	} {
		_, err := parseEnding([]byte(bad))
		require.ErrorIs(t, err, errFrame, bad)
	}
	long := strings.Repeat("€", maxErrorText)
	e, err = parseEnding([]byte(`{"error":{"name":"` + long + `","value":"","traceback":"` + long + `end"}}`))
	require.NoError(t, err)
	require.LessOrEqual(t, len(e.err.Name), maxErrorText+len("[…]"))
	require.True(t, strings.HasSuffix(e.err.Text(), "end"))
	require.Equal(t, "E: v", (&Error{Name: "E", Value: "v"}).Text())
}

func TestPlaces(t *testing.T) {
	e := &Error{Name: "ExitError", Value: "exit status 1"}
	require.Equal(t, "cell.sh:2: b\nExitError: exit status 1\n", place{1, 2}.traceback("a\n  b\n", 1, e))
	for _, p := range []place{{}, {2, 2}, {1, 0}, {1, -1}, {1, 3}, {1, 1 << 40}} {
		require.Empty(t, p.traceback("a\n  b\n", 1, e), p)
	}
	require.Less(t, len(place{1, 1}.traceback(strings.Repeat("€", 1<<20), 1, e)), 300)

	r := newRunning(Options{}, false)
	in := &interpreter{run: r}
	f := frames{begin: in.begin, take: in.take}
	_, err := f.Write([]byte("failed 21\n{\"status\":1,\"line\":1}failed 21\n{\"status\":2,\"line\":3}failed 99\n" + strings.Repeat("x", 99)))
	require.NoError(t, err)
	require.Equal(t, place{2, 3}, r.place)
	_, err = f.Write([]byte("failed 2\n[]"))
	require.ErrorIs(t, err, errFrame)
	in.run = nil
	_, err = (&frames{begin: in.begin, take: in.take}).Write([]byte("failed 2\n[]"))
	require.NoError(t, err, "nothing runs")
}

// How a run ended may be told at length: the interpreter goes on, and little of
// it is kept.
func TestLongEnding(t *testing.T) {
	ended := func(size int) (*interpreter, *running, error) {
		r := newRunning(Options{}, false)
		in := &interpreter{run: r}
		f := frames{begin: in.begin, take: in.take}
		body := `{"error":{"name":"E","value":"` + strings.Repeat("x", size)
		body += `"}}`
		_, err := f.Write(fmt.Appendf(nil, "done %d\n%s", len(body), body))
		return in, r, err
	}
	in, r, err := ended(3 << 20)
	require.NoError(t, err)
	require.Nil(t, in.current())
	require.LessOrEqual(t, len(r.ending.err.Value), maxErrorText+len("[…]"))
	_, _, err = ended(doneLimit)
	require.ErrorIs(t, err, errFrame)
}

func FuzzItem(f *testing.F) {
	f.Add([]byte(`{"main":true,"data":{"text/plain":"1","application/json":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if item, err := parseItem(b); err == nil {
			require.LessOrEqual(t, len(item.Data), maxForms)
		}
		if e, err := parseEnding(b); err == nil {
			require.True(t, e.status >= 0 && e.status <= 255 && e.cpu >= 0)
		}
	})
}

func TestGoPrograms(t *testing.T) {
	for name, c := range map[string]struct{ code, want string }{
		"a program":       {"package main\n\nfunc main() {}\n", "//line cell.go:1\npackage main\n\nfunc main() {}\n"},
		"statements":      {`fmt.Println("x")`, "package main;import \"fmt\";\n//line cell.go:1\nfunc main() {fmt.Println(\"x\")\n}\n"},
		"with imports":    {"import \"os\"\nos.Exit(3)", "package main;\n//line cell.go:1\nimport \"os\";func main() {\nos.Exit(3)\n}\n"},
		"declarations":    {"func main() { print(1) }", "package main;\n//line cell.go:1\nfunc main() { print(1) }"},
		"the older rand":  {"_ = rand.Intn(2)", "package main;import \"math/rand\";\n//line cell.go:1\nfunc main() {_ = rand.Intn(2)\n}\n"},
		"the newer rand":  {"_ = rand.IntN(2)", "package main;import \"math/rand/v2\";\n//line cell.go:1\nfunc main() {_ = rand.IntN(2)\n}\n"},
		"own names":       {"fmt := 1\n_ = fmt", "package main;\n//line cell.go:1\nfunc main() {fmt := 1\n_ = fmt\n}\n"},
		"what is no code": {"func {", "package main;\n//line cell.go:1\nfunc main() {func {\n}\n"},
		"nothing":         {"", "package main;\n//line cell.go:1\nfunc main() {\n}\n"},
	} {
		require.Equal(t, c.want, goProgram(c.code), name)
	}
}
