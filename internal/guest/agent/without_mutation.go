//go:build linux && agbmutation

package agent

import "os"

// WithoutEnv is the variable in a guest's environment that names the part of
// the isolation to leave out. A test of the tests sets it.
const WithoutEnv = "AGB_WITHOUT"

var missing = os.Getenv(WithoutEnv)

// without reports whether a part of the isolation is left out.
func without(part string) bool { return part == missing }
