package engine

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this program an engine's owner when a test has started it as
// one.
func TestMain(m *testing.M) {
	if what := os.Getenv(doomedEnv); what != "" {
		doomed(what)
	}
	goleak.VerifyTestMain(m)
}
