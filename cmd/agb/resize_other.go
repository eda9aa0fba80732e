//go:build !unix

package main

import (
	"context"

	agbcommand "github.com/agb-go/sdk/command"
)

// followSize is for systems that tell when a terminal's size changes.
func followSize(context.Context, *agbcommand.Cmd) (stop func()) { return func() {} }
