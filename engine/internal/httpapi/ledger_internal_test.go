package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// usual are the bounds of an engine.
var usual = bounds{engineOutput, tenantOutput, sessionOutput, runOutput}

// space returns the workspace of a session of the tenant.
func space(all *ledger, tenant string) *Workspace { return &Workspace{output: all.open(tenant)} }

// sending returns a context of a tool, and what ends its call.
func sending(t *testing.T) (context.Context, func()) {
	t.Helper()
	sent, end := context.WithCancel(t.Context())
	return context.WithValue(t.Context(), answerKey{}, sent), end
}

// What is kept stays until the answer is sent, or given up by whoever sends it:
// a client that leaves does not take it away from under that.
func TestKeptUntilAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newLedger(usual)
		ws := space(all, "t")
		ctx, leave := context.WithCancel(t.Context())
		with, sent := answering(ctx)
		k := ws.newKeeper(with, keptText)
		want := bytes.Repeat([]byte("x"), 3*largestPiece)
		_, _ = k.stdout.Write(want)
		leave()
		synctest.Wait()
		require.Error(t, with.Err())
		require.Equal(t, want, joined(t, k.stdout.pieces))
		require.Less(t, all.engine.left, usual.engine)
		sent()
		synctest.Wait()
		require.Empty(t, k.stdout.pieces)
		require.Equal(t, usual.engine, all.engine.left)
		ws.Close()
	})
}

func TestKeeperKeepsBeginnings(t *testing.T) {
	const most = 1 << 20
	for _, row := range []struct{ out, errOut, keptOut, keptErr int }{
		{0, 0, 0, 0}, {5, 7, 5, 7}, {most, 0, most, 0}, {most + 1, 0, most, 0}, {most / 2, most / 2, most / 2, most / 2},
		{most / 2, most/2 + 1, most / 2, most / 2}, {most, most, most / 2, most / 2}, {2 * most, 100, most - largestPiece, 100},
	} {
		ctx, end := sending(t)
		ws := space(newLedger(usual), "t")
		k := ws.newKeeper(ctx, most)
		for _, s := range []struct {
			stream *stream
			size   int
		}{{&k.stdout, row.out}, {&k.stderr, row.errOut}} {
			for part := range bytes.SplitSeq(ascending(s.size), []byte("\xff")) {
				_, err := s.stream.Write(append(part, 0xff)[:min(len(part)+1, s.size-s.stream.kept-int(s.stream.dropped))])
				require.NoError(t, err)
			}
		}
		require.Equal(t, row.keptOut, k.stdout.kept)
		require.Equal(t, row.keptErr, k.stderr.kept)
		require.EqualValues(t, row.out-row.keptOut, k.stdout.dropped)
		require.EqualValues(t, row.errOut-row.keptErr, k.stderr.dropped)
		require.True(t, bytes.HasPrefix(ascending(row.out), joined(t, k.stdout.pieces)))
		require.True(t, bytes.HasPrefix(ascending(row.errOut), joined(t, k.stderr.pieces)))
		require.LessOrEqual(t, k.paid, k.claim.most)
		end()
		require.Eventually(t, func() bool { return k.claim.idle() }, time.Second, time.Millisecond)
	}
}

func ascending(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// idle reports whether nothing of the claim's session is in use.
func (c *claim) idle() bool {
	c.share.all.mu.Lock()
	defer c.share.all.mu.Unlock()
	return c.share.left == sessionOutput && c.share.tenant.left == tenantOutput && c.share.all.engine.left == engineOutput
}

// Runs that all want more than there is get it one after the other.
func TestLedgerHandsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newLedger(usual)
		ws := space(all, "t")
		var group sync.WaitGroup
		most := 0
		for range 16 {
			group.Go(func() {
				ctx, end := sending(t)
				defer end()
				k := ws.newKeeper(ctx, keptBytes)
				piece := make([]byte, 60<<10)
				for sent := 0; sent < keptBytes; sent += len(piece) {
					_, _ = k.stdout.Write(piece[:min(len(piece), keptBytes-sent)])
					time.Sleep(time.Millisecond)
				}
				if k.stdout.kept != keptBytes {
					t.Errorf("kept %d", k.stdout.kept)
				}
				all.mu.Lock()
				most = max(most, engineOutput-all.engine.left)
				all.mu.Unlock()
			})
		}
		group.Wait()
		synctest.Wait()
		require.LessOrEqual(t, most, sessionOutput)
		require.Equal(t, engineOutput, all.engine.left)
		require.Equal(t, sessionOutput, ws.output.left)
		require.Empty(t, ws.output.runs)
	})
}

// A run that gets nothing more waits so long in all, keeps what is always
// there, and goes on without.
func TestLedgerIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newLedger(bounds{runOutput, runOutput, runOutput, runOutput})
		first := newClaim(t.Context(), all.open("t"), runOutput)
		require.True(t, first.take(runOutput))
		require.False(t, first.take(1), "more than it may need")

		ctx, end := sending(t)
		k := space(all, "other").newKeeper(ctx, keptBytes)
		begin := time.Now()
		_, err := k.stdout.Write(make([]byte, freeOutput))
		require.NoError(t, err)
		require.Zero(t, time.Since(begin))
		require.Equal(t, freeOutput, k.stdout.kept)
		_, err = k.stdout.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		require.Equal(t, outputWait, time.Since(begin))
		require.Equal(t, freeOutput, k.stdout.kept)
		require.EqualValues(t, 1<<20, k.stdout.dropped)
		_, err = k.stderr.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		require.Equal(t, outputWait, time.Since(begin), "it has waited enough")

		canceled, cancel := context.WithCancel(t.Context())
		other := newClaim(canceled, all.open("t"), runOutput)
		cancel()
		require.False(t, other.take(1))
		first.release()
		first.release()
		require.False(t, other.take(1), "all there is is left for the run that asked before")
		end()
		synctest.Wait()
		require.True(t, other.take(runOutput))
		other.release()
		require.False(t, other.take(1))
		require.Equal(t, runOutput, all.engine.left)
	})
}

func TestHolesAreFilled(t *testing.T) {
	large := bytes.Repeat([]byte("\"€\x00"), largeOutput)
	k := space(newLedger(usual), "t").newKeeper(t.Context(), keptText)
	_, err := k.stdout.Write(large)
	require.NoError(t, err)
	_, err = k.stderr.Write([]byte("small"))
	require.NoError(t, err)
	for _, raw := range []bool{false, true} {
		var r wire.ShellResult
		k.put(&r, raw)
		require.Len(t, r.Holes, 1)
		resp, err := wire.Shell.Encode(r)
		require.NoError(t, err)
		env := envelope("id", nil)
		require.NoError(t, wire.Seal(env, &resp))
		var body bytes.Buffer
		fill(&body, marshal(t, env), env.Holes)

		back, err := wire.Open[wire.CallToolResponse](decoded(t, body.Bytes()))
		require.NoError(t, err)
		got, err := wire.Shell.Decode(&back)
		require.NoError(t, err)
		if raw {
			require.Equal(t, large, got.StdoutBytes)
			require.Equal(t, []byte("small"), got.StderrBytes)
		} else {
			require.Equal(t, string(large), got.Stdout)
			require.Equal(t, "small", got.Stderr)
		}
	}
	// A client that has gone, and marks that are not there.
	fill(failingWriter{}, []byte("xx"), []wire.Hole{{Mark: "x", Fill: func(io.Writer) error { return nil }}})
	require.Panics(t, func() { fill(io.Discard, []byte("x"), []wire.Hole{{Mark: "y"}}) })
	require.Panics(t, func() {
		fill(io.Discard, []byte("x"), []wire.Hole{{Mark: "x", Fill: func(io.Writer) error { return errors.New("no") }}})
	})
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func decoded(t *testing.T, body []byte) *wire.Envelope {
	t.Helper()
	var env wire.Envelope
	require.NoError(t, wire.Unmarshal(body, &env))
	return &env
}
