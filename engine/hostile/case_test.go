//go:build linux && (amd64 || arm64)

package hostile

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/command"
)

// attack is one case. What it prints is judged: a line that starts with WIN
// says that it won, and so does a token of [world]; the last thing it prints is
// "TRIED", which says that it came to its end.
type attack struct {
	id string

	// script is for a shell, inside a sandbox and in a bare process alike. It
	// has the world's variables, and $ATTACK, the path of the attack program,
	// when it asks for that.
	script string
	// then goes on through the client when the script has run, and returns
	// what it got. bare does the same without a sandbox, in directory dir.
	then func(ctx context.Context, s *agb.Session, w *world) []byte
	bare func(dir string, w *world) []byte

	// timeout is how long the script may take; 0 means [scriptTimeout].
	timeout time.Duration
	// vectors are how the script gets in; nil means all.
	vectors []vector
	// mayEnd says that the sandbox may put an end to the attack.
	mayEnd bool
	needs  []string // as of a trial
}

// Bounds of what a session may take to answer.
const (
	scriptTimeout = 20 * time.Second
	answerGrace   = slower * 4 * time.Second // beyond the timeout: two are promised, other tests run beside
	deleteTimeout = slower * 5 * time.Second
	neighbourly   = slower * time.Second // for a neighbour's command of a session that misbehaves
)

// vector is a way to have a script run in a session.
type vector string

const (
	first  vector = "first command"
	second vector = "second command" // of the same session
	asCode vector = "code"
)

// tried is what an attack says at its end.
const tried = "TRIED"

var everyVector = []vector{first, second, asCode}

// counters count cases of one run. Those without a control are skipped, too.
type counters struct{ passed, failed, skipped, uncontrolled atomic.Int64 }

var tally counters

func (c *counters) String() string {
	return fmt.Sprintf("%d cases held, %d did not, %d skipped, of them %d for want of a control",
		c.passed.Load(), c.failed.Load(), c.skipped.Load(), c.uncontrolled.Load())
}

func (c *counters) count(t *testing.T) {
	t.Helper()
	switch {
	case t.Failed():
		c.failed.Add(1)
	case t.Skipped():
		c.skipped.Add(1)
	default:
		c.passed.Add(1)
	}
}

// attackAll runs cases in sessions of one engine, each in its own.
func attackAll(t *testing.T, l lab, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.id, func(t *testing.T) {
			t.Cleanup(func() { tally.count(t) })
			skipWithout(t, l, a.needs)
			a.run(t, l)
		})
	}
}

// wait is how long the script may take.
func (a attack) wait() time.Duration { return cmp.Or(a.timeout, scriptTimeout) }

// run requires that the attack does no harm, where it does in a bare process.
func (a attack) run(t *testing.T, l lab) {
	t.Helper()
	if out, won := a.winsBare(t); !won {
		skipUncontrolled(t, a.id, out)
	}
	harm, unended := a.harmIn(t, l)
	for _, what := range slices.Concat(harm, unended) {
		t.Error(what)
	}
}

// winsBare runs the attack in a bare process, and reports whether it wins.
func (a attack) winsBare(t *testing.T) (out []byte, won bool) {
	t.Helper()
	w := newWorld(t)
	out = a.runBare(t, w)
	return out, len(w.harm(out)) > 0
}

// harmIn runs the attack in a session, by every vector, and returns what harm
// it did, and where it did not come to its end.
func (a attack) harmIn(t *testing.T, l lab) (all, unended []string) {
	t.Helper()
	s := l.create(t)
	vectors := a.vectors
	if vectors == nil {
		vectors = everyVector
	}
	for _, v := range vectors {
		w := newWorld(t)
		out := a.runIn(t, s, v, w)
		if harm := w.harm(out); len(harm) > 0 {
			slices.Sort(harm)
			all = append(all, fmt.Sprintf("%s: %s\noutput: %.2000q", v, strings.Join(harm, "; "), out))
		}
		if !a.mayEnd && !a.ended(out) {
			unended = append(unended, fmt.Sprintf("%s: the attack did not come to its end: %.2000q", v, out))
		}
	}
	remove(t, s)
	return all, unended
}

// ended reports whether the script, and the attack program with it, has come to
// its end.
func (a attack) ended(out []byte) bool {
	return !bytes.Contains(out, []byte("\ngoroutine ")) && (a.then != nil || bytes.HasSuffix(bytes.TrimSpace(out), []byte(tried)))
}

// runIn runs the attack in a session and returns all bytes that came out.
func (a attack) runIn(t *testing.T, s *agb.Session, v vector, w *world) []byte {
	t.Helper()
	vars := w.variables("1 " + w.vars["VICTIM"] + " " + w.vars["OWNER"])
	if strings.Contains(a.script, "$ATTACK") {
		vars["ATTACK"] = upload(t, s)
	}
	var out []byte
	if a.script != "" {
		timed(t, a.wait()+answerGrace, string(v), func(ctx context.Context) (err error) {
			out, err = runScript(ctx, s, v, a.script, vars, a.wait())
			return err
		})
	}
	if a.then != nil {
		ctx, cancel := context.WithTimeout(t.Context(), a.wait()+answerGrace)
		defer cancel()
		out = append(out, a.then(ctx, s, w)...)
	}
	return out
}

// runScript runs a script and returns what it wrote. That it was ended by its
// timeout is no error.
func runScript(ctx context.Context, s *agb.Session, v vector, script string, vars map[string]string, timeout time.Duration) ([]byte, error) {
	if v == asCode {
		res, err := s.Code.Run(ctx, code.Bash, exports(vars)+script, &code.RunOptions{Timeout: timeout})
		if res == nil {
			return nil, err
		}
		return []byte(res.Stderr + "\n" + res.Stdout), nil
	}
	res, err := s.Command.Run(ctx, script, &command.RunOptions{Timeout: timeout, Env: vars})
	if res == nil {
		return nil, err
	}
	return []byte(res.Stderr + "\n" + res.Stdout), nil
}

// exports returns the beginning of a script that sets variables.
func exports(vars map[string]string) string {
	var b strings.Builder
	for name, value := range vars {
		fmt.Fprintf(&b, "export %s='%s'\n", name, value)
	}
	return b.String()
}

// variables returns what an attack is told, with the processes to attack.
func (w *world) variables(targets string) map[string]string {
	vars := map[string]string{"TARGETS": targets}
	for name, value := range w.vars {
		vars[name] = value
	}
	return vars
}

// timed requires that f succeeds in time.
func timed(t *testing.T, within time.Duration, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within+answerGrace)
	defer cancel()
	start := time.Now()
	err := f(ctx)
	require.NoError(t, err, what)
	require.LessOrEqual(t, time.Since(start), within, "%s took too long", what)
}

// upload brings the attack program into a session and returns its path there.
func upload(t *testing.T, s *agb.Session) string {
	t.Helper()
	const path = "/tmp/attack"
	if _, err := s.FileSystem.Stat(t.Context(), path, nil); err == nil {
		return path
	}
	program, err := os.ReadFile(given.Attack)
	require.NoError(t, err)
	_, err = s.FileSystem.WriteFile(t.Context(), path, program, nil)
	require.NoError(t, err)
	_, err = s.Command.Run(t.Context(), "chmod 755 "+path, nil)
	require.NoError(t, err)
	return path
}
