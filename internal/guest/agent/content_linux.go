package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Inspect implements guest.Handler.
func (a *agent) Inspect(ctx context.Context, path string, follow, sum bool) (guest.State, error) {
	if !sum {
		info, tag, err := a.describe(path, follow)
		return guest.State{FileInfo: info, Tag: tag}, err
	}
	flags := unix.O_RDONLY
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, st, err := a.openRegular(path, flags)
	if err != nil {
		return guest.State{}, err
	}
	defer closeFD(fd)
	digest, err := sumOf(ctx, fd)
	return guest.State{FileInfo: infoOf(path, st), Tag: tagOf(st), Sum: digest}, failure(path, err)
}

// describe is Stat that returns the tag, too.
func (a *agent) describe(path string, follow bool) (guest.FileInfo, string, error) {
	p, err := a.absolute(path)
	if err != nil {
		return guest.FileInfo{}, "", err
	}
	flags := unix.O_PATH
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := open(unix.AT_FDCWD, p, flags, 0)
	if err != nil {
		return guest.FileInfo{}, "", failure(path, err)
	}
	defer closeFD(fd)
	info, st, err := describe(fd, "", unix.AT_EMPTY_PATH)
	info.Path = path
	return info, tagOf(&st), failure(path, err)
}

// openRegular opens a regular file that is not the agent's own.
func (a *agent) openRegular(path string, flags int) (int, *unix.Stat_t, error) {
	p, err := a.absolute(path)
	if err != nil {
		return -1, nil, err
	}
	fd, err := open(unix.AT_FDCWD, p, flags, 0)
	if err != nil {
		return -1, nil, failure(path, err)
	}
	st, err := regular(fd, path)
	if err == nil {
		err = notOwn(fd, path)
	}
	if err != nil {
		closeFD(fd)
		return -1, nil, err
	}
	return fd, st, nil
}

// tagOf returns what changes when a file does.
func tagOf(st *unix.Stat_t) string {
	parts := make([]string, 0, 4)
	for _, n := range []uint64{st.Ino, uint64(st.Size), uint64(st.Mtim.Nano()), uint64(st.Ctim.Nano())} {
		parts = append(parts, strconv.FormatUint(n, 36))
	}
	return strings.Join(parts, "-")
}

// sumOf returns the SHA-256 of what is in a file, whose offset stays.
func sumOf(ctx context.Context, fd int) (string, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(h, &fdReaderAt{ctx: ctx, fd: fd}, make([]byte, readBuffer)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fdReaderAt reads from a descriptor, from an offset to its end, or ctx's.
type fdReaderAt struct {
	ctx    context.Context
	fd     int
	offset int64
}

func (r *fdReaderAt) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := retry(func() (int, error) { return unix.Pread(r.fd, p, r.offset) })
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	r.offset += int64(max(n, 0))
	return max(n, 0), err
}

// match fails unless what fd has open, which is like st, is as condition says.
func match(ctx context.Context, fd int, st *unix.Stat_t, path, condition string) error {
	if condition == "" {
		return nil
	}
	have := tagOf(st)
	if strings.HasPrefix(condition, guest.SumPrefix) {
		sum, err := sumOf(ctx, fd)
		if err != nil {
			return failure(path, err)
		}
		have = guest.SumPrefix + sum
	}
	if have != condition {
		return mismatch(path)
	}
	return nil
}

func mismatch(path string) error {
	return fail(guest.Mismatch, 0, path+": file is not as expected: it has changed")
}

// Fetch implements guest.Handler.
func (a *agent) Fetch(ctx context.Context, path string, f guest.Fetch, begin func(guest.State) error, w io.Writer) (int64, error) {
	fd, st, err := a.openRegular(path, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer closeFD(fd)
	if err := match(ctx, fd, st, path, f.IfMatch); err != nil {
		return 0, err
	}
	if err := begin(guest.State{FileInfo: infoOf(path, st), Tag: tagOf(st)}); err != nil {
		return 0, err
	}
	want := max(0, st.Size-f.Offset) // files of /proc have no size
	if f.Length > 0 && (st.Size == 0 || f.Length < want) {
		want = f.Length
	}
	n, err := io.CopyBuffer(w, &io.LimitedReader{
		R: &fdReaderAt{ctx: ctx, fd: fd, offset: f.Offset}, N: untilEnd(st, want),
	}, make([]byte, readBuffer))
	if err == nil && st.Size > 0 && n < want {
		err = fail(guest.Busy, unix.EBUSY, path+": file became shorter while it was read")
	}
	return n, failure(path, err)
}

// untilEnd is how much to read of a file when want bytes are wanted.
func untilEnd(st *unix.Stat_t, want int64) int64 {
	if st.Size == 0 && want == 0 {
		return 1 << 62
	}
	return want
}

// Truncate implements guest.Handler.
func (a *agent) Truncate(_ context.Context, path string, size int64) error {
	fd, _, err := a.openRegular(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return failure(path, unix.Ftruncate(fd, size))
}
