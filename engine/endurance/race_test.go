//go:build race && linux && (amd64 || arm64)

package endurance

// racing says that the race detector remembers what memory was used for, which
// takes more and more of it.
const racing = true
