//go:build linux && (amd64 || arm64)

package linuxns

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// OOMKills implements [driver.Sandbox].
func (s *sandbox) OOMKills() (int64, error) {
	if !s.launcher.places().Has(cgroup.Memory) {
		e := s.fail(apierr.Unsupported, nil, "oom kills: sandboxes have no control groups that count memory")
		e.Hint = cureLimit(s.launcher.places(), cgroup.Memory)
		return 0, e
	}
	n, err := s.group().OOMKills()
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV): // the group goes first
		return 0, s.over("oom kills")
	case err != nil:
		return 0, s.fail(apierr.Internal, err, err.Error())
	default:
		return n, nil
	}
}
