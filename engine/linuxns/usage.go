//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
)

// Usage implements [driver.Sandbox]. Once the sandbox is gone it returns what
// had been used at the end. If the launcher could not tell then, because it
// died as well, the error has code [apierr.Unavailable].
func (s *sandbox) Usage(ctx context.Context) (driver.Usage, error) {
	if err := ctx.Err(); err != nil {
		return driver.Usage{}, err
	}
	if !s.launcher.places().Accounts() {
		e := s.fail(apierr.Unsupported, nil, "usage: sandboxes have no control groups that count memory, processes and processor time")
		e.Hint = cureLimit(s.launcher.places(), "")
		return driver.Usage{}, e
	}
	select {
	case <-s.gone:
		return s.lastUsage()
	default:
	}
	u, err := s.group().Usage()
	if err == nil {
		return u, nil
	}
	select { // the group goes first
	case <-s.gone:
		return s.lastUsage()
	case <-ctx.Done():
		return driver.Usage{}, ctx.Err()
	default:
		return driver.Usage{}, s.fail(apierr.Internal, err, err.Error())
	}
}

// lastUsage returns what a sandbox that is gone had used.
func (s *sandbox) lastUsage() (driver.Usage, error) {
	if s.last == nil {
		return driver.Usage{}, s.fail(apierr.Unavailable, nil, "usage: the launcher died with the sandbox, and its account with both")
	}
	return *s.last, nil
}
