package httpapi

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

// addCode serves all of code but the tool.
func (a *API) addCode() {
	a.beyond = append(a.beyond, wire.CodeCPUTimeout, wire.CodeFresh, wire.CodeStdin, wire.CodeResults, wire.CodeFunctions)
	handleStream(a, wire.StreamCode, func(r wire.StreamCodeRequest) string { return r.SessionID }, streamCode)
	handle(a, wire.OpenContext, a.openContext)
	handle(a, wire.ListContexts, a.listContexts)
	handle(a, wire.RestartContext, a.restartContext)
	handle(a, wire.InterruptContext, a.interruptContext)
	handle(a, wire.CloseContext, a.closeContext)
	handle(a, wire.ListLanguages, a.listLanguages)
}

// turnWait is how long a run of the tool waits for its turn: its client waits
// for the answer for a minute longer than the code may take.
const turnWait = 30 * time.Second

// runCode runs code to its end.
func runCode(ctx context.Context, ws *Workspace, args wire.RunCodeArgs) (wire.RunCodeResult, error) {
	language, opts, err := codeOptions(args)
	if err != nil {
		return wire.RunCodeResult{}, err
	}
	kept := ws.newKeeper(ctx, keptText)
	opts.Stdout, opts.Stderr, opts.Reserve, opts.Wait = &kept.stdout, &kept.stderr, kept.reserve, turnWait
	res, oom, err := ws.execute(ctx, language, args, opts)
	if err != nil {
		return wire.RunCodeResult{}, err
	}
	var h holes
	r := codeResult(res, kept.stdout.pieces, kept.stderr.pieces, &h)
	r.Holes = h.list
	r.OOMKilled = oom
	r.StdoutDropped += kept.stdout.dropped
	r.StderrDropped += kept.stderr.dropped
	return r, nil
}

// codeOptions checks what a client gave.
func codeOptions(args wire.RunCodeArgs) (language kernel.Language, opts kernel.Options, err error) {
	if err := need(wire.RunCode.Name, "language", args.Language); err != nil {
		return language, opts, err
	}
	opts.Timeout, err = timeoutOf("timeout_s", args.TimeoutS, time.Second)
	if args.TimeoutMS != 0 {
		opts.Timeout, err = timeoutOf("timeout_ms", args.TimeoutMS, time.Millisecond)
	}
	if err != nil {
		return language, opts, err
	}
	if opts.CPULimit, err = cpuTimeoutOf(args.CPUTimeoutMS); err != nil {
		return language, opts, err
	}
	if args.Stdin != nil {
		opts.Stdin = []byte(*args.Stdin)
	}
	language, err = languageOf(args.Language)
	return language, opts, err
}

func languageOf(name string) (kernel.Language, error) {
	language, ok := kernel.Lookup(name)
	if !ok {
		return language, apierr.Errorf(apierr.InvalidArgument, "invalid language %q", name).
			WithHint("use one of %s", strings.Join(kernel.Names(), ", "))
	}
	return language, nil
}

// execute runs code, and reports whether memory was used up meanwhile.
func (ws *Workspace) execute(ctx context.Context, language kernel.Language, args wire.RunCodeArgs, opts kernel.Options) (*kernel.Result, bool, error) {
	c, err := ws.contextOf(args, language)
	if err != nil {
		return nil, false, err
	}
	killed := ws.kills.now()
	opts.OutOfMemory = func() bool { return ws.kills.since(killed) }
	var res *kernel.Result
	if c != nil {
		res, err = c.Run(ctx, args.Code, opts)
	} else {
		res, err = kernel.Once(ctx, ws.Guest, language, args.Code, opts)
	}
	if err != nil {
		return nil, false, err
	}
	return res, ws.kills.since(killed), nil
}

// codeResult returns res as it travels, with holes for what is large in it. An
// error is told in three places, because each of AGB's clients looks in another.
func codeResult(res *kernel.Result, all, allErr pieces, h *holes) wire.RunCodeResult {
	budget := outputBudget - errorCost(res.Error)
	items, cost := h.items(res.Items, sync.OnceValue(func() int { return budget - all.cost() - allErr.cost() }))
	out, errOut := fitOutputs(all, allErr, budget-cost)
	r := wire.RunCodeResult{
		Results: items, Stdout: h.lines(out), Stderr: h.lines(errOut),
		TimedOut: res.Exit.TimedOut, CPULimited: res.Exit.CPULimited, ExecUsage: execUsage(res.Exit),
		StdoutDropped:  res.Exit.StdoutDropped + int64(all.size()-out.size()),
		StderrDropped:  res.Exit.StderrDropped + int64(allErr.size()-errOut.size()),
		ResultsDropped: res.ItemsDropped, Ended: res.Ended, Restarted: res.Restarted,
		LateStdout: string(res.Late.Stdout), LateStderr: string(res.Late.Stderr), LateDropped: res.Late.Dropped,
	}
	r.SetExecution(res.Runs, res.Exit.Duration)
	if e := res.Error; e != nil {
		r.Error = &wire.CodeError{Name: e.Name, Value: e.Value, Traceback: e.Traceback}
		r.ExecutionError = e.Text()
		if !res.ErrorShown {
			r.Stderr = append(r.Stderr, e.Text()+"\n")
		}
	}
	return r
}

// errorCost is what e takes encoded, in all of its places.
func errorCost(e *kernel.Error) int {
	if e == nil {
		return 0
	}
	cost := 2 * nestedCost([]byte(e.Text()))
	for _, part := range []string{e.Name, e.Value, e.Traceback} {
		cost += nestedCost([]byte(part))
	}
	return cost
}

// lines returns output as the one text that it is; none when there is none.
func (h *holes) lines(p pieces) []string {
	if p.size() == 0 {
		return []string{}
	}
	return []string{h.text(p)}
}
