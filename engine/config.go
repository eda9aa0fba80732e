package engine

import (
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// Values that stand for "no limit" where zero stands for the default.
const (
	NoTimeout time.Duration = -1
	NoLimit   int64         = -1
)

// Defaults and bounds of [Config].
const (
	DefaultIdleTimeout = 5 * time.Minute
	DefaultMaxLifetime = 30 * time.Minute
	DefaultMaxSessions = 1000
	MaxPool            = 1000 // sandboxes that are kept ready
	MinKeyBytes        = 16   // of each of [Config.APIKeys]
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

	// Limits bound each session that does not ask for other limits.
	Limits Limits
	// MaxLimits are the most that a session may ask for. A zero field means
	// the same as in Limits, so that nobody gets more unless this says so.
	MaxLimits Limits

	// IdleTimeout is how long a session may be idle before it is released,
	// unless the client asks for another time. Zero means
	// [DefaultIdleTimeout], [NoTimeout] for ever.
	IdleTimeout time.Duration
	// MaxLifetime is how long a session may live, however busy, unless the
	// client asks for less or extends it, and the most that it may ask for:
	// an extension is counted from when it is asked for, so a session lives on
	// as long as somebody extends it. Zero means [DefaultMaxLifetime],
	// [NoTimeout] for ever.
	MaxLifetime time.Duration

	// MaxSessions is how many sessions there may be at once. Zero means
	// [DefaultMaxSessions].
	MaxSessions int
	// MemoryBudget is what the memory limits of all sessions may add up to.
	// Zero means no such sum, since most sessions use a fraction of theirs.
	// Whatever the budget, no session is made while less than a sixteenth of
	// the memory that this program may use is free, unless this is [NoLimit].
	MemoryBudget int64

	// Pool says how many sandboxes of an image, by its name, are to be kept
	// ready: made, checked, and used by nobody. A session that asks for that
	// image and no limits of its own gets one of them, if there is one, in a
	// fraction of the time. They are made one at a time while no session is
	// being made, and give way where MaxSessions or MemoryBudget leave no room.
	// All together are at most [MaxPool].
	Pool map[string]int
	// PoolCode are languages of code, such as "python", whose interpreters are
	// started in the sandboxes of the pool ahead, so that the first run of code
	// finds one. Each takes memory of a sandbox for as long as it lives, some 10
	// MiB for Python and 40 for Node.js. An image without one is as good.
	PoolCode []string

	// StateDir is a directory, made when it is missing, for the records of
	// sessions, which then survive the engine; the sessions themselves do not.
	// One engine uses it at a time. Empty means that records are kept in
	// memory.
	StateDir string

	// Require names the layers and limits, see package driver, that have to be
	// verified around every sandbox, from inside, before anybody gets it: the
	// creation of a session fails otherwise, with an error of code
	// [apierr.IsolationUnavailable] that names what is missing. Nil means
	// namespaces, capabilities, no_new_privs and seccomp; empty and not nil
	// means none.
	Require []string

	// APIKeys are the keys that [Engine.Handler] accepts. With none it refuses
	// every request. The engine keeps hashes of them alone. A right key always
	// works, however many wrong ones came before, so that keys have to be hard
	// to guess: random, and of at least [MinKeyBytes].
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

// defaultImage is the image of sessions that ask for none.
const defaultImage = "host"

// hostImages are the names of the view of this machine.
var hostImages = []string{"agb-code-space-1", "agb-code-space-2", defaultImage}

// kernelDirs are directories whose files are the kernel's.
var kernelDirs = []string{"/proc", "/sys", "/dev"}

// maxImageName bounds the name of an image.
const maxImageName = 128

// withDefaults returns c with its defaults filled in, after checking it.
func (c Config) withDefaults() (Config, error) {
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	c.MaxLifetime = cmp.Or(c.MaxLifetime, DefaultMaxLifetime)
	c.MaxSessions = cmp.Or(c.MaxSessions, DefaultMaxSessions)
	if c.Require == nil {
		c.Require = defaultRequire
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, check := range []func() error{c.checkNumbers, c.checkImages, c.checkStateDir, c.checkRequire, c.checkKeys, c.checkPublicURL} {
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
	return c, c.checkPool()
}

func (c Config) checkNumbers() error {
	if c.IdleTimeout < 0 && c.IdleTimeout != NoTimeout || c.MaxLifetime < 0 && c.MaxLifetime != NoTimeout {
		return invalid("a timeout is negative and not NoTimeout")
	}
	if c.MaxSessions < 0 || c.MemoryBudget < 0 && c.MemoryBudget != NoLimit {
		return invalid("the number of sessions or their memory is negative")
	}
	limits := c.limits()
	if err := checkLimits(limits, leastLimits, c.maxLimits()); err != nil {
		e := apierr.From(err)
		e.Message = configPrefix + e.Message
		return e
	}
	if c.MemoryBudget > 0 && c.MemoryBudget < limits.MemoryBytes {
		return invalid("a memory budget of %d bytes has no room for one session of %d", c.MemoryBudget, limits.MemoryBytes)
	}
	return nil
}

// limits returns the limits of sessions that ask for none.
func (c Config) limits() driver.Limits { return c.Limits.driver(defaultLimits) }

// maxLimits returns the most that a session may ask for.
func (c Config) maxLimits() driver.Limits { return orLimits(driver.Limits(c.MaxLimits), c.limits()) }

// checkPool checks the pool of a c that has all its images.
func (c Config) checkPool() error {
	total := 0
	for name, size := range c.Pool {
		if _, ok := c.Images[name]; !ok {
			return invalid("pool: image %q is unknown", name)
		}
		if size < 0 || size > MaxPool-total {
			return invalid("pool: a size is negative, or the sizes are more than %d together", MaxPool)
		}
		total += size
	}
	if err := httpapi.CheckAhead(c.PoolCode); err != nil {
		return invalid("pool code: %v", err)
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
		if slash := filepath.ToSlash(root); slash == "/run" || slices.ContainsFunc(kernelDirs, func(dir string) bool {
			return slash == dir || strings.HasPrefix(slash, dir+"/")
		}) {
			return invalid("image %q: root %q holds no system's files", name, image.Root)
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

// checkStateDir refuses images in which the records would be, or which would be
// among the records.
func (c Config) checkStateDir() error {
	if c.StateDir == "" {
		return nil
	}
	state, err := realDir(c.StateDir)
	if err != nil {
		return invalid("directory for records: %w", err)
	}
	for name, image := range c.Images {
		root, err := realDir(image.Root)
		if err != nil {
			return invalid("image %q: %w", name, err)
		}
		if within(state, root) || within(root, state) {
			return invalid("image %q: root %q and the directory for records are in each other", name, image.Root)
		}
	}
	return nil
}

// realDir returns the absolute path of a directory without symbolic links, as
// far as it exists.
func realDir(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for rest := ""; ; {
		resolved, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Join(resolved, rest), nil
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return "", err
		}
		path, rest = parent, filepath.Join(filepath.Base(path), rest)
	}
}

// within reports whether path is dir or below it. Both are as of realDir.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func (c Config) checkKeys() error {
	for i, key := range c.APIKeys {
		switch {
		case strings.TrimSpace(key) != key:
			return invalid("API key %d has blanks around it", i+1)
		case len(key) < MinKeyBytes:
			return invalid("API key %d has %d bytes, at least %d are needed", i+1, len(key), MinKeyBytes)
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

const configPrefix = "engine: config: "

func invalid(format string, args ...any) error {
	return apierr.Errorf(apierr.InvalidArgument, configPrefix+format, args...)
}
