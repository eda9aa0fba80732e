package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// dockerFiles is how many small files are copied.
const dockerFiles = 1000

// beside measures a command and a tree of files in a session beside a container
// of Docker. The Docker engine is the one that DOCKER_HOST names; the image is
// made of this machine's static busybox, which Debian has as busybox-static.
func beside(ctx context.Context, w io.Writer, n int) (err error) {
	client, done, err := open(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	res, err := client.Create(ctx, nil)
	if err != nil {
		return err
	}
	s := res.Session
	tree, err := smallFiles()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	container, remove, err := startContainer(ctx)
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	const command, files = "docker exec /bin/echo", "docker cp of a tree"
	all := []*series{
		{name: command, once: process("docker", "exec", container, "/bin/echo", "hi")},
		{name: "Command.Run of /bin/echo", peer: command, once: echo(s)},
		{name: files + " of " + strconv.Itoa(dockerFiles) + " files", once: process("docker", "cp", tree, container+":/copied")},
		{name: "UploadDir of it", peer: files + " of " + strconv.Itoa(dockerFiles) + " files", once: func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			_, err := s.FileSystem.UploadDir(ctx, "/tmp/copied", tree, nil)
			return time.Since(start), err
		}},
		{name: "docker run --rm /bin/echo", once: process("docker", "run", "--rm", "--network", "none", dockerImage, "/bin/echo", "hi")},
		{name: "create + first command done + delete", peer: "docker run --rm /bin/echo", once: func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			err := client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
				_, err := echo(s)(ctx)
				return err
			})
			return time.Since(start), err
		}},
	}
	if err := rounds(ctx, all, n); err != nil {
		return err
	}
	report(w, all)
	return nil
}

func echo(s *agb.Session) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		_, err := s.Command.Run(ctx, "/bin/echo hi", nil)
		return time.Since(start), err
	}
}

// smallFiles makes a directory of small files.
func smallFiles() (string, error) {
	dir, err := os.MkdirTemp("", "bench-docker-")
	for i := range dockerFiles {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte("some text\n"), 0o600))
	}
	return dir, err
}

const dockerImage = "agb-bench"

// startContainer starts a container that waits, and returns its name and what
// removes it and its image.
func startContainer(ctx context.Context) (name string, remove func() error, err error) {
	const image = `
		set -e
		dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
		mkdir "$dir/bin" "$dir/tmp"; cp /bin/busybox "$dir/bin/"; ln "$dir/bin/busybox" "$dir/bin/sleep"; ln "$dir/bin/busybox" "$dir/bin/echo"
		tar -C "$dir" -c . | docker import - ` + dockerImage + ` >/dev/null
		docker run -d --network none ` + dockerImage + ` /bin/sleep 1000000`
	out, err := exec.CommandContext(ctx, "sh", "-c", image).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", nil, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	name = strings.TrimSpace(string(out))
	return name, func() error {
		return exec.CommandContext(context.WithoutCancel(ctx), "sh", "-c", "docker rm -f "+name+" && docker rmi "+dockerImage).Run() //nolint:gosec // an id of Docker's
	}, err
}
