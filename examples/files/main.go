// Command files fills a session with embedded files, watches what a command does
// to them, changes one only if nobody else has, and takes all of it home.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/filesystem"
)

//go:embed tree
var tree embed.FS

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	return client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		seed, err := fs.Sub(tree, "tree")
		if err != nil {
			return err
		}
		up, err := s.FileSystem.Upload(ctx, "work", seed, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "uploaded %d entries, %d bytes\n", up.Entries, up.Bytes)
		if err := watch(ctx, w, s); err != nil {
			return err
		}
		if err := change(ctx, w, s.FileSystem); err != nil {
			return err
		}
		return home(ctx, w, s.FileSystem)
	})
}

// watch shows what a command does to the files.
func watch(ctx context.Context, w io.Writer, s *agb.Session) error {
	ran := make(chan error, 1)
	ready := func() {
		go func() {
			_, err := s.Command.Run(ctx, "mv work/docs/lines work/docs/numbers", nil)
			ran <- err
		}()
	}
	for e, err := range s.FileSystem.Watch(ctx, "work", &filesystem.WatchOptions{Ready: ready}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %s from %s\n", e.Kind, e.Path, e.OldPath)
		if e.Kind == filesystem.EventRename {
			break
		}
	}
	return <-ran
}

// change replaces a file in one step, but not over what somebody else wrote.
func change(ctx context.Context, w io.Writer, f *filesystem.Client) error {
	before, err := f.Stat(ctx, "work/README", &filesystem.StatOptions{ETag: true})
	if err != nil {
		return err
	}
	for range 2 { // the second time the file is another
		out, err := f.CreateStream(ctx, "work/README", &filesystem.CreateStreamOptions{Mode: filesystem.Replace, IfMatch: before.ETag})
		if err != nil {
			return err
		}
		if _, err = io.WriteString(out, "Changed.\n"); err == nil {
			err = out.Close()
		}
		out.Abort() // does nothing to what is closed
		if errors.Is(err, agb.ErrFailedPrecondition) {
			fmt.Fprintln(w, "somebody else has changed it")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// home downloads all of it.
func home(ctx context.Context, w io.Writer, f *filesystem.Client) (err error) {
	dir, err := os.MkdirTemp("", "files-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	down, err := f.Download(ctx, "work", dir, &filesystem.DownloadOptions{
		Progress: func(p filesystem.Progress) { fmt.Fprintf(w, "got %s\n", p.Path) },
	})
	if err == nil {
		fmt.Fprintf(w, "downloaded %d entries, %d bytes\n", down.Entries, down.Bytes)
	}
	return err
}
