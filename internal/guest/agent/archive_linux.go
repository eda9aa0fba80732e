package agent

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

const (
	// bulkLimit is how many archives at once are made or taken apart; the others
	// wait.
	bulkLimit = 4
	// bulkTime is how long one may take.
	bulkTime = 24 * time.Hour
)

// lift waits for a turn to make an archive or to take one apart.
func (a *agent) lift(ctx context.Context) error {
	select {
	case a.bulk <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *agent) lifted() { <-a.bulk }

// Archive implements guest.Handler.
func (a *agent) Archive(ctx context.Context, dir string, exclude []string, to io.Writer) (guest.Tally, error) {
	if err := checkPatterns(exclude); err != nil {
		return guest.Tally{}, err
	}
	if err := a.lift(ctx); err != nil {
		return guest.Tally{}, err
	}
	defer a.lifted()
	fd, _, err := a.openTree(dir)
	if err != nil {
		return guest.Tally{}, err
	}
	defer closeFD(fd)
	out := bufio.NewWriterSize(to, readBuffer)
	r := archiver{ctx: ctx, tar: tar.NewWriter(out), buf: make([]byte, readBuffer)}
	w := &walker{ctx: ctx, deadline: time.Now().Add(bulkTime)}
	w.visit = func(rel, name string, st *unix.Stat_t) (bool, error) {
		for _, pattern := range exclude {
			if matches(pattern, rel, name) {
				return false, nil
			}
		}
		return true, r.add(w, rel, name, st)
	}
	err = w.walk(fd, "", depthLimit)
	if err == nil && w.deep {
		err = fail(guest.TooLarge, unix.EOVERFLOW, dir+": too much for an archive")
	}
	if err == nil {
		err = errors.Join(r.tar.Close(), out.Flush())
	}
	return r.tally, failure(dir, err)
}

// archiver writes a tree to an archive.
type archiver struct {
	ctx   context.Context
	tar   *tar.Writer
	buf   []byte
	tally guest.Tally
}

// add adds what is called name in the directory where w is.
func (r *archiver) add(w *walker, rel, name string, st *unix.Stat_t) error {
	h := &tar.Header{Name: rel, Mode: int64(st.Mode & 0o777), ModTime: time.Unix(st.Mtim.Unix())}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, rel+"/"
	case unix.S_IFLNK:
		h.Typeflag, h.Linkname = tar.TypeSymlink, w.target(name)
	case unix.S_IFREG:
		h.Typeflag = tar.TypeReg
	default:
		return nil
	}
	if r.tally.Entries == guest.ArchiveLimit {
		return fail(guest.TooLarge, unix.EOVERFLOW, "too many files for an archive")
	}
	r.tally.Entries++
	if h.Typeflag != tar.TypeReg {
		return r.tar.WriteHeader(h)
	}
	fd, err := open(w.dir, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return failure(rel, err)
	}
	defer closeFD(fd)
	return r.content(h, fd, rel)
}

func (r *archiver) content(h *tar.Header, fd int, rel string) error {
	st, err := regular(fd, rel)
	if err != nil {
		return err
	}
	if err := notOwn(fd, rel); err != nil {
		return err
	}
	h.Size = st.Size
	if err := r.tar.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.CopyBuffer(onlyWriter{r.tar}, io.LimitReader(&fdReader{ctx: r.ctx, fd: fd}, st.Size), r.buf)
	r.tally.Bytes += n
	if err == nil && n < st.Size {
		err = fail(guest.Busy, unix.EBUSY, rel+": file became shorter while it was read")
	}
	return failure(rel, err)
}

// onlyWriter keeps io.Copy from looking for more.
type onlyWriter struct{ io.Writer }
