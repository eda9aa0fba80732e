// Package failtest arms failpoints in a process of its own: a test starts its
// own binary again with [Env] set and calls [FromEnv] in what that runs. Only
// tests import it.
package failtest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// ErrInjected is what a point armed with [Fail] fails with.
var ErrInjected = errors.New("failtest: injected failure")

// Env is the environment variable that [FromEnv] reads: "point=kill@n" kills
// the process, as kill -9 does, when it passes the point for the n-th time,
// "point=fail@n" has that pass fail. It is empty or has one of them.
const Env = "AGB_TEST_FAILPOINT"

// Actions of [Env].
const (
	Kill = "kill"
	Fail = "fail"
)

// Setting returns the environment's entry for a point, an action and the pass,
// counted from 1, at which it happens.
func Setting(p failpoint.Point, action string, pass int) string {
	return fmt.Sprintf("%s=%s=%s@%d", Env, p, action, pass)
}

// FromEnv arms what [Env] says. Call it in a child's main function.
func FromEnv() error {
	spec := os.Getenv(Env)
	if spec == "" {
		return nil
	}
	point, action, ok := strings.Cut(spec, "=")
	action, count, counted := strings.Cut(action, "@")
	pass, err := strconv.ParseInt(count, 10, 64)
	if !ok || !counted || err != nil || action != Kill && action != Fail {
		return fmt.Errorf("failtest: %s=%q is no setting", Env, spec)
	}
	var passed atomic.Int64
	failpoint.Arm(failpoint.Point(point), func() error {
		if passed.Add(1) != pass {
			return nil
		}
		if action == Fail {
			return ErrInjected
		}
		Die()
		return nil
	})
	return nil
}

// Die ends the process at once, as kill -9 does: nothing deferred runs, nothing
// is flushed.
func Die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until it arrives
}
