//go:build !race && linux && (amd64 || arm64)

package endurance

const racing = false
