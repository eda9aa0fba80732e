package code_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

type query struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

type answer struct {
	Rows []string `json:"rows"`
}

func TestExpose(t *testing.T) {
	for language, c := range map[code.Language]struct{ program, ok, bad, unknown string }{
		code.Python: {
			"python3", "lookup(name='a', count=2)['rows'] + lookup({'name': 'b', 'count': 1})['rows']",
			"lookup(name='fail')", "lookup(nobody=1)",
		},
		code.JavaScript: {
			"node", "[...(await lookup({name: 'a', count: 2})).rows, ...(await lookup({name: 'b', count: 1})).rows]",
			"await lookup({name: 'fail'})", "await lookup({nobody: 1})",
		},
	} {
		t.Run(string(language), func(t *testing.T) {
			needs(t, c.program)
			s := agbtest.NewSession(t)
			var mu sync.Mutex
			var calls []code.FunctionCall
			require.NoError(t, code.Expose(s.Code, "lookup", func(_ context.Context, q query) (answer, error) {
				if q.Name == "fail" {
					return answer{}, errors.New("no such table")
				}
				return answer{Rows: strings.Split(strings.Repeat(q.Name+" ", q.Count)[:2*q.Count-1], " ")}, nil
			}, &code.FunctionOptions{Audit: func(c code.FunctionCall) {
				mu.Lock()
				defer mu.Unlock()
				calls = append(calls, c)
			}}))
			info := s.Code.Functions()
			require.Len(t, info, 1)
			require.Equal(t, "lookup", info[0].Name)
			require.JSONEq(t, `{"type":"object","properties":{"name":{"type":"string"},"count":{"type":"integer"}},"required":["name","count"]}`, string(info[0].Input))
			require.JSONEq(t, `{"type":"object","properties":{"rows":{"type":"array","items":{"type":"string"}}},"required":["rows"]}`, string(info[0].Output))
			run := func(source string) *code.Result {
				res, err := s.Code.Run(t.Context(), language, source, nil)
				require.NoError(t, err)
				return res
			}
			res := run(c.ok)
			require.Nil(t, res.Error, "%+v", res.Error)
			require.Equal(t, "['a','a','b']", strings.NewReplacer(" ", "", "[a", "['a").Replace(res.Results[0].Text))
			require.Len(t, calls, 2)
			require.JSONEq(t, `{"name":"a","count":2}`, string(calls[0].Args))
			require.JSONEq(t, `{"rows":["a","a"]}`, string(calls[0].Result))
			require.Equal(t, s.ID, calls[0].SessionID)
			require.NoError(t, calls[0].Err)
			res = run(c.bad)
			require.Contains(t, res.Error.Value, "no such table")
			require.Error(t, calls[2].Err)
			require.Contains(t, run(c.unknown).Error.Value, "nobody")
			require.Contains(t, res.Stderr, "no such table", "the output is there, too")
		})
	}
}

func TestExposeIsBounded(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	expose := func(name string, fn func(context.Context, any) (any, error), opts *code.FunctionOptions) {
		require.NoError(t, code.Expose(s.Code, name, fn, opts))
	}
	expose("panics", func(context.Context, any) (any, error) { panic("odd") }, nil)
	expose("waits", func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, ctx.Err() }, &code.FunctionOptions{Timeout: 50 * time.Millisecond})
	expose("large", func(_ context.Context, n any) (any, error) { return strings.Repeat("x", int(n.(float64))), nil }, nil)
	expose("same", func(_ context.Context, v any) (any, error) { return v, nil }, nil)
	expose("same", func(_ context.Context, v any) (any, error) { return fmt.Sprint(v), nil }, nil)
	run := func(source string) *code.Result {
		t.Helper()
		res, err := s.Code.Run(t.Context(), code.Python, source, nil)
		require.NoError(t, err)
		return res
	}
	require.Contains(t, run("panics()").Error.Value, "odd")
	require.Contains(t, run("waits()").Error.Value, "deadline")
	require.Equal(t, "1000000", run("len(large(1000000))").Results[0].Text)
	require.Contains(t, run("large(1 << 20)").Error.Value, "too many")
	require.Equal(t, "'7'", run("same(7)").Results[0].Text)
	require.Contains(t, run("x = 1; same('y' * (1 << 20))").Error.Value, "at most 1 MiB")
	require.Equal(t, "1", run("x").Results[0].Text, "the state has stayed")
	res := run("import threading\nout = []\nts = [threading.Thread(target=lambda: out.append(same(1))) for _ in range(20)]\n" +
		"for t in ts: t.start()\nfor t in ts: t.join()\nlen(out)")
	require.Nil(t, res.Error, "%+v", res.Error)
	require.Equal(t, "20", res.Results[0].Text)
	// Who calls between two cells is told so.
	run("import threading, time\ndef f():\n  time.sleep(0.05)\n  try: same(1)\n  except RuntimeError as e: print(e)\nthreading.Thread(target=f).start()")
	for late := ""; !strings.Contains(late, "only while its cell runs"); late += run("1").LateStdout {
		time.Sleep(50 * time.Millisecond)
	}

	for _, bad := range []string{"", "class", "this", "1a", "a-b", "a b", "ä", strings.Repeat("x", 65)} {
		require.ErrorIs(t, code.Expose(s.Code, bad, func(context.Context, any) (any, error) { return 1, nil }, nil), agb.ErrInvalidArgument, bad)
	}
	require.ErrorIs(t, code.Expose[any, any](s.Code, "nil", nil, nil), agb.ErrInvalidArgument)
	for i := range 64 - 4 {
		expose(fmt.Sprintf("f%d", i), func(context.Context, any) (any, error) { return 1, nil }, nil)
	}
	require.ErrorIs(t, code.Expose(s.Code, "more", func(context.Context, any) (any, error) { return 1, nil }, nil), agb.ErrInvalidArgument)
	require.Equal(t, "1", run("f59()").Results[0].Text)
	// Giving up a run gives up its calls.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan struct{})
	expose("f0", func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); close(ended); return nil, ctx.Err() }, nil)
	_, err := s.Code.Run(ctx, code.Python, "f0()", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-ended
	require.Equal(t, "2", run("1 + 1").Results[0].Text)
}

// Nobody waits for a function whose time is over, and there are not ever more of
// them.
func TestFunctionsThatGoOn(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	release := make(chan struct{})
	var audited atomic.Int32
	opts := &code.FunctionOptions{Timeout: 200 * time.Millisecond, Audit: func(c code.FunctionCall) {
		if errors.Is(c.Err, context.DeadlineExceeded) && c.Result == nil && c.Duration < 5*time.Second {
			audited.Add(1)
		}
	}}
	require.NoError(t, code.Expose(s.Code, "goes_on", func(context.Context, any) (any, error) { <-release; return 1, nil }, opts))
	require.NoError(t, code.Expose(s.Code, "same", func(_ context.Context, v any) (any, error) { return v, nil }, nil))
	began := time.Now()
	res := ran(t, s, code.Python, "goes_on()", code.RunOptions{})
	require.Contains(t, res.Error.Value, "longer than 200ms")
	require.EqualValues(t, 1, audited.Load())
	require.Equal(t, "2", ran(t, s, code.Python, "same(2)", code.RunOptions{}).Results[0].Text)

	ran(t, s, code.Python, "import threading\nts = [threading.Thread(target=goes_on) for _ in range(15)]\n"+
		"threading.excepthook = lambda _: None\nfor t in ts: t.start()\nfor t in ts: t.join()", code.RunOptions{})
	require.EqualValues(t, 16, audited.Load())
	require.Contains(t, ran(t, s, code.Python, "same(2)", code.RunOptions{}).Error.Value, "16 calls")
	require.Less(t, time.Since(began), 15*time.Second)

	close(release)
	require.Eventually(t, func() bool {
		return ran(t, s, code.Python, "same(2)", code.RunOptions{}).Error == nil
	}, 10*time.Second, 10*time.Millisecond)
}

// Nor does a run wait for one.
func TestRunLeavesFunctions(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	release := make(chan struct{})
	defer close(release)
	require.NoError(t, code.Expose(s.Code, "goes_on", func(context.Context, any) (any, error) { <-release; return 1, nil }, nil))
	began := time.Now()
	_, err := s.Code.Run(t.Context(), code.Python, "goes_on()", &code.RunOptions{Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 15*time.Second)
}

// Who has no functions calls none, and loses nothing by trying.
func TestFunctionsOfOthers(t *testing.T) {
	for language, c := range map[code.Language]struct{ program, define, call, get string }{
		code.Python:     {"python3", "x = 1; f()", "f()", "x"},
		code.JavaScript: {"node", "var x = 1; await f()", "await f()", "x"},
	} {
		t.Run(string(language), func(t *testing.T) {
			needs(t, c.program)
			client := agbtest.NewClient(t)
			res, err := client.Create(t.Context(), nil)
			require.NoError(t, err)
			s := res.Session
			require.NoError(t, code.Expose(s.Code, "f", func(context.Context, any) (string, error) { return "value", nil }, nil))
			run := func(s *agb.Session, source string, opts *code.RunOptions) *code.Result {
				t.Helper()
				res, err := s.Code.Run(t.Context(), language, source, opts)
				require.NoError(t, err)
				return res
			}
			require.Nil(t, run(s, c.define, nil).Error)
			got, err := client.Get(t.Context(), s.ID)
			require.NoError(t, err)
			require.Contains(t, run(got.Session, c.call, nil).Error.Value, "no functions")
			require.Equal(t, "1", run(got.Session, c.get, nil).Results[0].Text)
			fresh := run(s, c.call, &code.RunOptions{Fresh: true})
			require.Nil(t, fresh.Error, "%+v", fresh.Error)
			require.Equal(t, "'value'", fresh.Results[0].Text)
		})
	}
}
