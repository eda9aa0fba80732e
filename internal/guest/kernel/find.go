package kernel

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/agb-go/sdk/internal/guest"
)

// askTimeout is how long an interpreter may take to tell of itself.
const askTimeout = 10 * time.Second

// find returns the path of the interpreter. The error is a [*MissingError] when
// there is none that will do.
func (s *spec) find(ctx context.Context, client *guest.Client) (string, error) {
	path, err := client.LookPath(ctx, s.interpreters...)
	if errors.Is(err, fs.ErrNotExist) {
		return "", s.missing(false)
	}
	if err != nil || s.check == nil {
		return path, err
	}
	exit, err := client.Run(ctx, guest.Command{Args: append([]string{path}, s.check...), Timeout: askTimeout})
	if err == nil && exit.Code != 0 {
		err = s.missing(true)
	}
	return path, err
}

func (s *spec) missing(unfit bool) error {
	return &MissingError{Language: s.name, Interpreters: s.interpreters, Install: s.install, Unfit: unfit}
}

// command returns what starts the interpreter at path with its driver.
func (s *spec) command(path string) []string {
	if s.shell != "" {
		return []string{"/bin/sh", "-c", s.shell, "sh", path}
	}
	return append([]string{path}, s.args...)
}

// Version returns what the sandbox's interpreter for l says of itself, a line,
// empty when it says nothing. The error is as that of [Context.Run].
func (l Language) Version(ctx context.Context, client *guest.Client) (string, error) {
	path, err := l.spec.find(ctx, client)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	const limit = 4096
	_, err = client.Run(ctx, guest.Command{
		Args: append([]string{path}, l.spec.version...), Timeout: askTimeout, Stdout: &out, Stderr: &out, OutputLimit: limit,
	})
	line, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	return strings.ToValidUTF8(line, ""), err
}
