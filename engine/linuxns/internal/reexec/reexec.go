//go:build linux && (amd64 || arm64)

// Package reexec makes every program that contains it able to be a launcher
// or a guest: the runtime starts copies of the program it is part of, which
// come here before main and do not return.
//
// A copy knows what it is by three things at once: its name (argv[0]), a
// marker (argv[1]) and a socket at descriptor 3. Anything else is an ordinary
// start of the program, and this package does nothing.
//
// The package initialises as early as Go allows: after the few packages it
// imports, before any that imports it, and before those whose path sorts after
// its own. Initialisers that come earlier run in launcher and guest, too.
package reexec

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/launcher"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/internal/guest/agent"
)

const (
	launcherName = "agb-launcher"
	guestName    = "agb-guest"
	marker       = "agb-reexec-2f6d1c5e"
)

// exitReturned is the exit code of a copy whose main function came back.
const exitReturned = 95

// LauncherArgs returns the arguments that make a copy of the program a
// launcher.
func LauncherArgs() []string { return []string{launcherName, marker} }

// GuestArgs returns the arguments that make a copy of the program a guest.
func GuestArgs() []string { return []string{guestName, marker} }

func init() {
	if len(os.Args) != 2 || os.Args[1] != marker {
		return
	}
	switch os.Args[0] {
	case launcherName:
		if isSocket(unix.SOCK_SEQPACKET) {
			launcher.Main(GuestArgs(), agent.Env())
			syscall.Exit(exitReturned)
		}
	case guestName:
		if isSocket(unix.SOCK_STREAM) {
			// Initialisers run locked to the main thread, where each wait
			// costs a switch of threads.
			go agent.Main(layers.ControlFD)
			select {}
		}
	}
}

// isSocket reports whether descriptor 3 is a unix socket of that type.
func isSocket(kind int) bool {
	domain, err := unix.GetsockoptInt(layers.ControlFD, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	got, err := unix.GetsockoptInt(layers.ControlFD, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && got == kind
}
