//go:build linux && (amd64 || arm64)

// Package reexec makes every program that contains it able to be a launcher
// or a guest: the runtime starts copies of the program it is part of, which
// come here before main and do not return.
//
// A copy knows what it is by three things at once: its name (argv[0]), a
// marker (argv[1]) and a socket at descriptor 3. Anything else is an ordinary
// start of the program, and this package does nothing; but a copy that is
// neither ends at once.
//
// The package initialises as early as Go allows: after the few packages it
// imports, before any that imports it, and before those whose path sorts after
// its own. Initialisers that come earlier run in launcher and guest, too.
package reexec

import (
	"os"
	"slices"
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

// ImageName is the name of the copies of programs in memory. Processes that run
// one are launchers and guests, or end at once.
const ImageName = "agb"

// Exit codes of copies.
const (
	exitReturned = 95  // the main function of a launcher came back
	exitStray    = 126 // neither launcher nor guest; shells say so of what cannot be executed
)

// LauncherArgs returns the arguments that make a copy of the program a
// launcher.
func LauncherArgs() []string { return []string{launcherName, marker} }

// GuestArgs returns the arguments that make a copy of the program a guest.
func GuestArgs() []string { return []string{guestName, marker} }

func init() {
	if len(os.Args) == 2 && os.Args[1] == marker {
		become()
	}
	if stray() {
		syscall.Exit(exitStray)
	}
}

// become does not return when this is a launcher or a guest.
func become() {
	switch os.Args[0] {
	case launcherName:
		if isSocket(unix.SOCK_SEQPACKET) {
			launcher.Main(GuestArgs(), agent.Env())
			syscall.Exit(exitReturned)
		}
	case guestName:
		if isSocket(unix.SOCK_STREAM, unix.SOCK_SEQPACKET) {
			// Initialisers run locked to the main thread, where each wait
			// costs a switch of threads.
			go agent.Main(layers.ControlFD)
			select {}
		}
	}
}

// stray reports whether this is a copy that nobody has started as launcher or
// guest: a sandbox's program can name the guest that is about to run it as its
// interpreter (#!/proc/self/exe). The owner's program is not to run in there.
func stray() bool {
	var buf [64]byte
	n, err := syscall.Readlink("/proc/self/exe", buf[:])
	return err == nil && string(buf[:n]) == "/memfd:"+ImageName+" (deleted)"
}

// isSocket reports whether descriptor 3 is a unix socket of one of these types.
func isSocket(kinds ...int) bool {
	domain, err := unix.GetsockoptInt(layers.ControlFD, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	got, err := unix.GetsockoptInt(layers.ControlFD, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && slices.Contains(kinds, got)
}
