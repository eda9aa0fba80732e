package httpapi_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func TestJavaScriptPrintsAsTheREPL(t *testing.T) {
	c := newCoder(t, "javascript")
	for code, want := range map[string]string{
		"new Proxy({ a: 1 }, {})": "Proxy [ { a: 1 }, {} ]",
		"({ [Symbol.for('nodejs.util.inspect.custom')]: () => 'own' })": "own",
		"({ get x() { throw new Error('no') } })":                       "{ x: [Getter] }",
		"new Map([[1, new Set(['a'])]])":                                "Map(1) { 1 => Set(1) { 'a' } }",
		"class A { #x = 1; y = [1n] }; new A()":                         "A { y: [ 1n ] }",
		"null":                                                          "null",
	} {
		require.Equal(t, want, mainResult(t, c.run(t, code)), code)
	}
	trapped := "new Proxy({}, { getPrototypeOf() { throw 1 }, ownKeys() { throw 1 }, get() { throw 1 } })"
	require.Contains(t, mainResult(t, c.run(t, trapped)), "Proxy [\n  {},")
	r := c.run(t, "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('odd') } })")
	require.Equal(t, "[unprintable]", mainResult(t, r))
	require.Contains(t, strings.Join(r.Stderr, ""), "odd")
	text, ok := mainResult(t, c.run(t, "Object.assign(new Error('made'), { code: 'E' })")).(string)
	require.True(t, ok)
	require.Regexp(t, `^Error: made\n    at cell[0-9]+\.js:1:15 \{\n  code: 'E'\n\}$`, text)
}

func TestJavaScriptShows(t *testing.T) {
	c := newCoder(t, "javascript")
	items := c.shows(t, `
const png = Buffer.from('89504e470d0a1a0a', 'hex'), jpeg = new Uint8Array([255, 216, 255, 224]);
display(png, jpeg, Buffer.from('x'));
display({ 'image/png': png, 'text/html': '<b>', 'application/json': { a: [NaN] }, get 'text/plain'() { throw new Error('getter') } });
class Bundle { toMimeBundle() { return { 'text/markdown': '*m*', 'No MIME': 1 } } }
class Deno { async [Symbol.for('Jupyter.display')]() { return { 'text/latex': '$l$' } } }
class Throws { toMimeBundle() { throw new Error('thrown') } }
class Rejects { async toMimeBundle() { throw new Error('rejected') } }
display(new Bundle(), new Throws());
await display(new Rejects(), { get toMimeBundle() { throw new Error('no method') } });
new Deno()`)
	encoded := base64.StdEncoding.EncodeToString([]byte(pngMagic))
	require.Equal(t, encoded, items[0]["image/png"])
	require.Contains(t, items[0]["text/plain"], "<Buffer 89 50")
	require.Equal(t, base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff\xe0")), items[1]["image/jpeg"])
	require.Equal(t, wire.CodeItem{wire.ItemMain: false, "text/plain": "<Buffer 78>"}, items[2])
	require.Equal(t, wire.CodeItem{
		wire.ItemMain: false, wire.ItemTruncated: true, "image/png": encoded, "text/html": "<b>",
		"application/json": map[string]any{"a": []any{nil}},
	}, items[3])
	require.Equal(t, wire.CodeItem{wire.ItemMain: false, wire.ItemTruncated: true, "text/markdown": "*m*"}, items[4])
	require.Equal(t, "Throws {}", items[5]["text/plain"])
	require.Equal(t, "{ toMimeBundle: [Getter] }", items[6]["text/plain"])
	require.Equal(t, "Rejects {}", items[7]["text/plain"])
	require.Equal(t, wire.CodeItem{wire.ItemMain: true, "text/latex": "$l$"}, items[8])
	require.Len(t, items, 9)
}

func TestJavaScriptSaysWhatIsMissing(t *testing.T) {
	c := newCoder(t, "javascript")
	items := c.shows(t, `
let deep = 1;
for (let i = 0; i < 65; i++) deep = [deep];
const many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => ['text/x' + i, '']));
display({ 'application/json': deep, 'text/plain': 'd' }, { 'application/json': { n: 1n }, 'text/plain': 'n' });
display({ 'image/png': Buffer.alloc((10 << 20) + 1), 'text/plain': 'b' }, many, { 'text/html': 'x'.repeat((1 << 20) + 7) });`)
	for i, plain := range []string{"d", "n", "b"} {
		require.Equal(t, wire.CodeItem{wire.ItemMain: false, wire.ItemTruncated: true, "text/plain": plain}, items[i])
	}
	require.Len(t, items[3], 16+2)
	require.Contains(t, items[4]["text/html"], "xx[… 7 characters left out]")
	require.Equal(t, true, items[4][wire.ItemTruncated])
}
