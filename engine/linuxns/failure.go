//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// Layers that come before those of a sandbox.
const (
	layerKernel   = "kernel"
	layerCopy     = "sealed copy of the program"
	layerLauncher = "launcher"
)

// startError is a failure before there is a launcher.
type startError struct {
	layer string
	err   error
}

func (e *startError) Error() string { return e.layer + ": " + e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// explain turns whatever stopped a create into an error that names the layer,
// the cause and the cure.
func explain(err error) *apierr.Error {
	var failed *tape.Failure
	var start *startError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return apierr.From(err)
	case errors.Is(err, errDynamic):
		return explainDynamic()
	case exhausted(err):
		return &apierr.Error{
			Code: apierr.ResourceExhausted, Message: err.Error(), Cause: err,
			Hint: "the machine is out of processes, descriptors or memory: delete sessions, or raise its limits",
		}
	case errors.As(err, &failed):
		return unavailable(failed.Error(), failed, cure(failed.Layer, failed.Step, failed.Errno))
	case errors.As(err, &start):
		return unavailable(start.Error(), start, cureStart(start))
	case errors.Is(err, errBroken), errors.Is(err, errClosed), errors.Is(err, tape.ErrVanished), errors.Is(err, errSlow):
		return &apierr.Error{Code: apierr.Unavailable, Message: err.Error(), Cause: err}
	}
	return &apierr.Error{Code: apierr.Internal, Message: err.Error(), Cause: err}
}

func unavailable(message string, cause error, cure string) *apierr.Error {
	return &apierr.Error{Code: apierr.IsolationUnavailable, Message: message, Cause: cause, Hint: cure}
}

// exhausted reports whether err says that something is used up for the moment,
// and not that it cannot be had on this machine.
func exhausted(err error) bool {
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ETOOMANYREFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	// For clone: too many namespaces, unless none are allowed at all.
	var failed *tape.Failure
	return errors.As(err, &failed) && failed.Layer == layers.Clone && failed.Errno == unix.ENOSPC &&
		forbiddenNamespaces() == ""
}

func cureStart(e *startError) string {
	if e.layer == layerCopy && (errors.Is(e.err, unix.EACCES) || errors.Is(e.err, unix.EPERM)) {
		return fmt.Sprintf("vm.memfd_noexec is %s, which forbids programs in memory: sysctl vm.memfd_noexec=1",
			sysctl("vm/memfd_noexec"))
	}
	return "the program must be able to start a copy of itself: /proc must be mounted, and nothing may forbid execution"
}
