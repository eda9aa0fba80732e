//go:build linux && (amd64 || arm64) && agbmutation

package linuxns

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

var without atomic.Pointer[string]

// Without has launchers that start from then on leave out one part of the
// isolation: a layer of package driver (seccomp, landlock, capabilities,
// no_new_privs, descriptors, read-only root, guest hidden, or the limit of
// processes, memory, cpu or disk), "network namespace", "pid namespace" or
// "private /dev". The empty string means none. It panics for any other. Only programs built with the tag
// agbmutation, which are tests, have it.
//
// An engine refuses such sandboxes unless its Config.Require is empty and not
// nil.
func Without(part string) {
	if part != "" && !slices.Contains(layers.Parts, part) {
		panic(fmt.Sprintf("linuxns: nothing is called %q that could be left out", part))
	}
	without.Store(&part)
}

// withoutEnv is what a launcher's environment has to have besides.
func withoutEnv() []string {
	if part := without.Load(); part != nil && *part != "" {
		return []string{layers.WithoutEnv + "=" + *part}
	}
	return nil
}
