//go:build !race && linux && (amd64 || arm64)

package hostile

import "time"

// slower is how much slower than usual this build is.
const slower = 1

// timeLimit is how long everything may take together.
const timeLimit = 6 * time.Minute
