package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// pageBytes bounds the names of a page, so that it fits in an answer.
const pageBytes = 8 << 20

// Walk implements guest.Handler.
func (a *agent) Walk(ctx context.Context, dir, after string, limit int) (guest.Page, error) {
	var page guest.Page
	if err := a.walk(ctx); err != nil {
		return page, err
	}
	defer a.walked()
	fd, _, err := a.openTree(dir)
	if err != nil {
		return page, err
	}
	defer closeFD(fd)
	size := 0
	w := &walker{ctx: ctx, deadline: time.Now().Add(walkTime)}
	w.visit = func(rel, name string, st *unix.Stat_t) (bool, error) {
		if after != "" && !guest.Follows(rel, after) {
			// Nothing but what leads there has anything behind it.
			return rel == after || strings.HasPrefix(after, rel+"/"), nil
		}
		if len(rel) > guest.PathLimit {
			return false, nil
		}
		info := infoOf(rel, st)
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			info.Target = w.target(name)
		}
		size += len(rel) + len(info.Target)
		if len(page.Entries) == limit || size > pageBytes {
			page.More = true
			return false, errEnough
		}
		page.Entries = append(page.Entries, info)
		return true, nil
	}
	err = w.walk(fd, "", depthLimit)
	switch {
	case errors.Is(err, errEnough):
		return page, nil
	case errors.Is(err, errTime) && len(page.Entries) > 0:
		page.More = true
		return page, nil
	case err == nil && w.deep, errors.Is(err, errTime):
		err = fail(guest.TooLarge, unix.EOVERFLOW, dir+": too much to walk through")
	}
	return page, failure(dir, err)
}
