//go:build linux && (amd64 || arm64)

package endurance

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// How long the tests are to be at work. The defaults are for every day.
var (
	accountingTime = flag.Duration("accounting.time", 5*time.Second, "how long the accounting check works")
	accountingSeed = flag.Int64("accounting.seed", 0, "seed of the accounting check; 0 takes one from the clock")
	soakRounds     = flag.Int("soak.n", 50, "how many sessions each soak test makes")
	deathSessions  = flag.Int("death.n", 20, "how many sessions an owner has when it is killed")
	timeoutRounds  = flag.Int("timeout.n", 60, "how many commands end at their timeout")
)

// roleEnv makes a copy of the test program one of roles.
const roleEnv = "AGB_ENDURANCE_ROLE"

var roles = map[string]func() error{}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := roles[role](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(aloneEnv) != "" {
		if err := mountOwnProc(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}
