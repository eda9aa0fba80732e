package agent

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Edit implements guest.Handler. The file is replaced as a whole: whoever
// reads it sees it before or after.
func (a *agent) Edit(ctx context.Context, name string, edits []guest.Edit, dry bool) ([]byte, error) {
	p, err := a.absolute(name)
	if err != nil {
		return nil, err
	}
	fd, err := open(unix.AT_FDCWD, p, unix.O_RDONLY, 0)
	if err != nil {
		return nil, failure(name, err)
	}
	defer closeFD(fd)
	st, err := regular(fd, name)
	if err != nil {
		return nil, err
	}
	if err := notOwn(fd, name); err != nil {
		return nil, err
	}
	var content bytes.Buffer
	r := io.LimitReader(&fdReader{ctx: ctx, fd: fd}, guest.EditLimit+1)
	if _, err := content.ReadFrom(r); err != nil {
		return nil, failure(name, err)
	}
	edited, err := apply(name, content.Bytes(), edits)
	if err != nil || dry {
		return edited, err
	}
	return edited, failure(name, replace(fd, st, edited))
}

// apply applies edits to content.
func apply(name string, content []byte, edits []guest.Edit) ([]byte, error) {
	tooLarge := fail(guest.TooLarge, unix.EFBIG, name+": too large to edit")
	if len(content) > guest.EditLimit {
		return nil, tooLarge
	}
	for i, e := range edits {
		nth := "edit " + strconv.Itoa(i+1)
		if e.Old == "" {
			return nil, fail(guest.Invalid, unix.EINVAL, nth+": text to replace is empty")
		}
		before, after, found := bytes.Cut(content, []byte(e.Old))
		if !found {
			return nil, fail(guest.NoMatch, 0, name+": "+nth+": text to replace is not there")
		}
		size := len(before) + len(e.New) + len(after)
		if size > guest.EditLimit {
			return nil, tooLarge
		}
		content = append(append(append(make([]byte, 0, size), before...), e.New...), after...)
	}
	return content, nil
}

// replace puts content in the place of the file that fd has open, which may
// have been reached through a link.
func replace(fd int, st *unix.Stat_t, content []byte) error {
	whole, err := realPath(fd)
	if err != nil {
		return err
	}
	dir, err := openDir(path.Dir(whole))
	if err != nil {
		return err
	}
	defer closeFD(dir)
	name := path.Base(whole)
	var now unix.Stat_t
	if err := unix.Fstatat(dir, name, &now, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if now.Dev != st.Dev || now.Ino != st.Ino {
		return fail(guest.Busy, unix.EBUSY, "file was replaced while it was edited")
	}
	part := partName(name)
	if err := writePart(dir, part, content, st.Mode&0o7777); err != nil {
		_ = unix.Unlinkat(dir, part, 0) // the first error tells more
		return err
	}
	if err := unix.Renameat(dir, part, dir, name); err != nil {
		_ = unix.Unlinkat(dir, part, 0) // likewise
		return err
	}
	return nil
}

func writePart(dir int, name string, content []byte, mode uint32) error {
	fd, err := open(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fdWriter(fd).Write(content)
	return errors.Join(err, unix.Fchmod(fd, mode), unix.Close(fd))
}

// random is text that nobody has seen before.
func random() string {
	var b [8]byte
	_, _ = unix.Getrandom(b[:], 0) // names made with it are made exclusively
	return hex.EncodeToString(b[:])
}
