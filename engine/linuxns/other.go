//go:build !linux || (!amd64 && !arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
)

// Runtime is a [driver.Runtime] that this system cannot have.
type Runtime struct{}

var _ driver.Runtime = (*Runtime)(nil)

// New returns an error of code [apierr.Unsupported].
func New(Config) (*Runtime, error) { return nil, unsupported() }

// Name implements [driver.Runtime].
func (*Runtime) Name() string { return name }

// Create returns an error of code [apierr.Unsupported].
func (*Runtime) Create(context.Context, driver.Spec) (driver.Sandbox, error) {
	return nil, unsupported()
}

// Probe returns an error of code [apierr.Unsupported].
func (*Runtime) Probe(context.Context) (*driver.Report, error) { return nil, unsupported() }

// Close does nothing.
func (*Runtime) Close() error { return nil }

func unsupported() error {
	return (&apierr.Error{
		Code:    apierr.Unsupported,
		Message: fmt.Sprintf("linuxns: not on this system (%s/%s)", runtime.GOOS, runtime.GOARCH),
		Cause:   errors.ErrUnsupported,
	}).WithHint("sandboxes of this runtime need Linux on amd64 or arm64; run the program there, in a Linux virtual " +
		"machine or a container, or use the hosted service by giving the client an API key")
}
