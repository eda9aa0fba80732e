//go:build linux && (amd64 || arm64)

package hostile

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// stageEnv says which process of a run this is; see contain.
const stageEnv = "AGB_HOSTILE_STAGE"

const (
	stageInit  = "init"  // sets the containment up, and is its pid 1
	stageTests = "tests" // runs the tests
)

func TestMain(m *testing.M) {
	var code int
	switch stage := os.Getenv(stageEnv); stage {
	case "":
		code = runContained()
	case stageInit:
		code = initContainment()
	case stageTests:
		code = runTests(m)
	default:
		fmt.Fprintf(os.Stderr, "hostile: there is no stage %q\n", stage)
		code = 2
	}
	os.Exit(code)
}

// runTests runs the tests and says how many cases showed something.
func runTests(m *testing.M) int {
	if err := receiveHandover(); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		return 2
	}
	stop, err := serveOutside()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		return 2
	}
	start := time.Now()
	code := m.Run()
	took := time.Since(start)
	stop()
	fmt.Printf("hostile: as %s: %s, in %v\n", identity(), &tally, took.Round(time.Second))
	if once := flag.Lookup("test.count").Value.String() == "1"; once && took > timeLimit {
		fmt.Fprintf(os.Stderr, "hostile: more than the %v that every run may take\n", timeLimit)
		code = max(code, 1)
	}
	return code
}

func identity() string {
	if os.Getuid() == 0 {
		return "root"
	}
	return fmt.Sprintf("user %d", os.Getuid())
}
