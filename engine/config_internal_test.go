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
	l := c.limits()
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
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	among := func(state, root string) Config {
		c := image("x", root)
		c.StateDir = state
		return c
	}
	_, err := image("mine", dir).withDefaults()
	require.NoError(t, err)
	_, err = among(filepath.Join(t.TempDir(), "not", "there"), dir).withDefaults()
	require.NoError(t, err)
	for name, c := range map[string]Config{
		"negative idle":     {IdleTimeout: -2},
		"negative life":     {MaxLifetime: -time.Second},
		"negative sessions": {MaxSessions: -1},
		"negative limit":    {Limits: Limits{DiskBytes: -1}},
		"small limit":       {Limits: Limits{Processes: 8}},
		"large limit":       {Limits: Limits{Processes: 200}, MaxLimits: Limits{Processes: 100}},
		"small maximum":     {MaxLimits: Limits{Processes: 100}},
		"blank image":       image(" ", dir),
		"long image":        image(strings.Repeat("x", 129), dir),
		"no root":           image("x", ""),
		"relative root":     image("x", "tmp"),
		"the host's root":   image("x", "/"),
		"hidden root":       image("x", "/tmp/.."),
		"missing root":      image("x", filepath.Join(dir, "none")),
		"file as root":      image("x", file),
		"kernel as root":    image("x", "/proc"),
		"below sys":         image("x", "/sys/fs"),
		"hidden dev":        image("x", "/usr/../dev/shm"),
		"run as root":       image("x", "/run/"),
		"records as root":   among(dir, dir),
		"records in root":   among(filepath.Join(dir, "not", "there"), dir),
		"root in records":   among(filepath.Dir(dir), dir),
		"linked records":    among(filepath.Join(link, "x"), dir),
		"empty key":         {APIKeys: []string{"0123456789abcdef", ""}},
		"blank in key":      {APIKeys: []string{"0123456789abcdef "}},
		"short key":         {APIKeys: []string{"0123456789abcde"}},
		"odd URL":           {PublicURL: "ftp://x"},
		"URL without host":  {PublicURL: "http://"},
		"URL with query":    {PublicURL: "http://x?y"},
		"URL with user":     {PublicURL: "http://u:p@x"},
	} {
		_, err := c.withDefaults()
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), name)
		require.Equal(t, 1, strings.Count(err.Error(), string(apierr.InvalidArgument)), "%s: the code once: %v", name, err)
	}
}

// TestLimitsAreRefused: at the bounds is allowed, one beyond is not, and what
// is too little no configuration makes possible.
func TestLimitsAreRefused(t *testing.T) {
	least, most := leastLimits, Config{}.limits()
	require.NoError(t, checkLimits(least, leastLimits, most))
	require.NoError(t, checkLimits(most, leastLimits, most))
	less, more := least, most
	less.Processes--
	more.MemoryBytes++
	err := apierr.From(checkLimits(less, leastLimits, most))
	require.Equal(t, apierr.InvalidArgument, err.Code)
	require.Empty(t, err.Hint)
	err = apierr.From(checkLimits(more, leastLimits, most))
	require.Equal(t, apierr.InvalidArgument, err.Code)
	require.Contains(t, err.Hint, "MaxLimits")
}
