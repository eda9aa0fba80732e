//go:build linux && (amd64 || arm64)

// Command cmd is the guest as a program of its own, see
// engine/linuxns.Config.GuestBinary. Build it with CGO_ENABLED=0. It is of no
// use but as the first process of a sandbox.
package main

import "github.com/agb-go/sdk/internal/guest/agent"

// stream is the descriptor that a runtime hands to guests.
const stream = 3

func main() { agent.Main(stream) }
