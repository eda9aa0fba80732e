package engine

import (
	"cmp"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
)

// NoTimeout stands for "no limit" where zero stands for the default.
const NoTimeout time.Duration = -1

// Defaults of [Config].
const (
	DefaultIdleTimeout = 5 * time.Minute
	DefaultMaxLifetime = 30 * time.Minute
	DefaultMaxSessions = 1000
)

// Config configures an [Engine]. The zero Config works on Linux.
type Config struct {
	// Runtime makes the sandboxes. Nil means Linux namespaces on this machine,
	// see package linuxns. The engine takes it over and closes it.
	Runtime driver.Runtime

	// Images are the images that sessions can be made from, by name, besides
	// "host" and AGB's own "agb-code-space-1" and "agb-code-space-2", which
	// all three are a read-only view of this machine's toolchains. An image
	// with one of those names replaces it. Who asks for none gets "host".
	Images map[string]Image

	// Limits bound each session.
	Limits Limits

	// IdleTimeout is how long a session may be idle before it is released,
	// unless the client asks for another time. Zero means
	// [DefaultIdleTimeout], [NoTimeout] for ever.
	IdleTimeout time.Duration
	// MaxLifetime is how long a session may live, however busy. Zero means
	// [DefaultMaxLifetime], [NoTimeout] for ever.
	MaxLifetime time.Duration
	// MaxSessions is how many sessions there may be at once. Zero means
	// [DefaultMaxSessions].
	MaxSessions int

	// APIKeys are the keys that [Engine.Handler] accepts. With none it refuses
	// every request. The engine keeps hashes of them alone.
	APIKeys []string
	// PublicURL is the scheme and host, perhaps with a path, of the URLs that
	// clients are given. Empty means as the client itself reached the engine.
	// A reverse proxy that adds a path has to remove it again.
	PublicURL string

	// Logger is told what happens, without secrets. Nil is silent.
	Logger *slog.Logger
}

// Image is what a session's file system is made from.
type Image struct {
	// Root is the absolute path of a directory to use as the root file
	// system. It is used read-only and has to stay while the engine runs.
	Root string
}

// Limits bound what a session may use. A zero field means its default.
type Limits struct {
	Processes  int   // processes and threads at once; default 128
	OpenFiles  int   // file descriptors of one process; default 1024
	FileBytes  int64 // size of one file; default 512 MiB
	DataBytes  int64 // ordinary data of one process, see RLIMIT_DATA in getrlimit(2); default 1 GiB
	DiskBytes  int64 // all writable places together; default 512 MiB
	DiskInodes int64 // files and directories in all writable places; default 100,000
}

// driver returns l with its defaults filled in.
func (l Limits) driver() driver.Limits {
	return driver.Limits{
		Processes: cmp.Or(l.Processes, 128), OpenFiles: cmp.Or(l.OpenFiles, 1024),
		FileBytes: cmp.Or(l.FileBytes, 512<<20), DataBytes: cmp.Or(l.DataBytes, 1<<30),
		DiskBytes: cmp.Or(l.DiskBytes, 512<<20), DiskInodes: cmp.Or(l.DiskInodes, 100_000),
	}
}

// defaultImage is the image of sessions that ask for none.
const defaultImage = "host"

// hostImages are the names of the view of this machine.
var hostImages = []string{"agb-code-space-1", "agb-code-space-2", defaultImage}

// maxImageName bounds the name of an image.
const maxImageName = 128

// withDefaults returns c with its defaults filled in, after checking it.
func (c Config) withDefaults() (Config, error) {
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	c.MaxLifetime = cmp.Or(c.MaxLifetime, DefaultMaxLifetime)
	c.MaxSessions = cmp.Or(c.MaxSessions, DefaultMaxSessions)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, check := range []func() error{c.checkNumbers, c.checkImages, c.checkKeys, c.checkPublicURL} {
		if err := check(); err != nil {
			return c, err
		}
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	images := map[string]Image{}
	for _, name := range hostImages {
		images[name] = Image{}
	}
	for name, image := range c.Images {
		images[name] = image
	}
	c.Images = images
	return c, nil
}

func (c Config) checkNumbers() error {
	if c.IdleTimeout < 0 && c.IdleTimeout != NoTimeout || c.MaxLifetime < 0 && c.MaxLifetime != NoTimeout {
		return invalid("a timeout is negative and not NoTimeout")
	}
	l := c.Limits.driver()
	for _, n := range []int64{int64(l.Processes), int64(l.OpenFiles), l.FileBytes, l.DataBytes, l.DiskBytes, l.DiskInodes, int64(c.MaxSessions)} {
		if n < 0 {
			return invalid("a limit is negative")
		}
	}
	return nil
}

func (c Config) checkImages() error {
	for name, image := range c.Images {
		if strings.TrimSpace(name) == "" || len(name) > maxImageName {
			return invalid("image name %q is blank or longer than %d bytes", name, maxImageName)
		}
		root := filepath.Clean(image.Root)
		if !filepath.IsAbs(image.Root) || root == filepath.VolumeName(root)+string(filepath.Separator) {
			return invalid("image %q: root %q is not an absolute path of a directory below /", name, image.Root)
		}
		info, err := os.Stat(root)
		if err != nil {
			return invalid("image %q: %w", name, err)
		}
		if !info.IsDir() {
			return invalid("image %q: root %q is not a directory", name, image.Root)
		}
	}
	return nil
}

func (c Config) checkKeys() error {
	for i, key := range c.APIKeys {
		if key == "" || strings.TrimSpace(key) != key {
			return invalid("API key %d is empty or has blanks around it", i+1)
		}
	}
	return nil
}

func (c Config) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return invalid("public URL is not http or https with a host and at most a path")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return apierr.Errorf(apierr.InvalidArgument, "engine: config: "+format, args...)
}
