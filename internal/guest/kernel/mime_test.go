package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMIMETypes(t *testing.T) {
	for _, s := range []string{
		"text/plain", "image/svg+xml", "application/vnd.vega.v5+json", "x/y", "9/9",
		strings.Repeat("a", maxMIMEMain) + "/" + strings.Repeat("b", maxMIMESub),
	} {
		require.True(t, isMIME(s), s)
	}
	for _, s := range []string{
		"", "/", "text", "text/", "/plain", "Text/plain", "text/plain; charset=utf-8", "text/pl ain", "text/plain/x",
		"text/+plain", ".text/plain", "text/plän", "text/plain\n",
		strings.Repeat("a", maxMIMEMain+1) + "/b", "a/" + strings.Repeat("b", maxMIMESub+1),
	} {
		require.False(t, isMIME(s), s)
	}
}

func TestTextTypes(t *testing.T) {
	for _, s := range []string{"text/plain", "text/html", "image/svg+xml", "application/javascript"} {
		require.True(t, isText(s), s)
	}
	for _, s := range []string{"image/png", "application/json", "application/pdf"} {
		require.False(t, isText(s), s)
	}
}

func TestJSONTypes(t *testing.T) {
	for _, s := range []string{"application/json", "application/geo+json", "application/vnd.vegalite.v5+json"} {
		require.True(t, isJSON(s), s)
	}
	for _, s := range []string{"text/json", "application/jsonx", "application/xml", "application/xjson"} {
		require.False(t, isJSON(s), s)
	}
}
