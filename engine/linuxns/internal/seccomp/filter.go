//go:build linux && (amd64 || arm64)

// Package seccomp builds the system call filter of the sandboxes.
//
// It is a list of what is allowed: Docker's default profile without what a
// sandbox has no use for. Tables say what becomes of every system call and why:
// calls.go and refused.go for both architectures, calls_amd64.go and
// calls_arm64.go for what only one has. Calls that are allowed with certain
// arguments only are in arguments.go, sockets.go and shared.go. All of that is
// one tree of [choice]s, which [compile] turns into a program for the kernel.
//
// What is refused answers:
//   - EPERM, ordinarily;
//   - ENOSYS, as a kernel without the call, where programs have another way
//     then, and for every number that this package does not know: libraries
//     fall back to what they used before there was the call;
//   - whatever error a kernel without the feature in question gives, when the
//     arguments decide;
//   - nothing, for calls of another ABI, which end the process: see [byABI].
package seccomp

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filter returns the program, for SECCOMP_SET_MODE_FILTER of seccomp(2). It
// fails only when the tables contradict each other, which a test excludes.
func Filter() ([]unix.SockFilter, error) {
	program, err := compile(byABI())
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("seccomp: assemble: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}
