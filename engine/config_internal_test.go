package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

func TestDefaults(t *testing.T) {
	c, err := Config{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, 5*time.Minute, c.IdleTimeout)
	require.Equal(t, 30*time.Minute, c.MaxLifetime)
	require.Equal(t, 1000, c.MaxSessions)
	require.NotNil(t, c.Logger)
	require.Len(t, c.Images, 3)
	l := c.Limits.driver()
	require.Positive(t, min(int64(l.Processes), int64(l.OpenFiles), l.FileBytes, l.DataBytes, l.DiskBytes, l.DiskInodes))

	c, err = Config{IdleTimeout: NoTimeout, MaxLifetime: NoTimeout, PublicURL: "https://x.example/agb/"}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, NoTimeout, c.IdleTimeout)
	require.Equal(t, "https://x.example/agb", c.PublicURL)
}

func TestConfigRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	image := func(name, root string) Config { return Config{Images: map[string]Image{name: {Root: root}}} }
	_, err := image("mine", dir).withDefaults()
	require.NoError(t, err)
	for name, c := range map[string]Config{
		"negative idle":     {IdleTimeout: -2},
		"negative life":     {MaxLifetime: -time.Second},
		"negative sessions": {MaxSessions: -1},
		"negative limit":    {Limits: Limits{DiskBytes: -1}},
		"blank image":       image(" ", dir),
		"long image":        image(strings.Repeat("x", 129), dir),
		"no root":           image("x", ""),
		"relative root":     image("x", "tmp"),
		"the host's root":   image("x", "/"),
		"hidden root":       image("x", "/tmp/.."),
		"missing root":      image("x", filepath.Join(dir, "none")),
		"file as root":      image("x", file),
		"empty key":         {APIKeys: []string{"a", ""}},
		"blank in key":      {APIKeys: []string{"a "}},
		"odd URL":           {PublicURL: "ftp://x"},
		"URL without host":  {PublicURL: "http://"},
		"URL with query":    {PublicURL: "http://x?y"},
		"URL with user":     {PublicURL: "http://u:p@x"},
	} {
		_, err := c.withDefaults()
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), name)
	}
}
