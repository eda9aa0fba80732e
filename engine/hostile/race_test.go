//go:build race && linux && (amd64 || arm64)

package hostile

// slower is by how much the race detector slows down what has a time to keep.
const slower = 3

// timeLimit is how long everything may take together: here as long as it may.
const timeLimit = wallTime
