package httpapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

// runCode runs code to its end.
func runCode(ctx context.Context, ws *Workspace, args wire.RunCodeArgs) (wire.RunCodeResult, error) {
	if err := need(wire.RunCode.Name, "language", args.Language); err != nil {
		return wire.RunCodeResult{}, err
	}
	timeout, err := timeoutOf("timeout_s", args.TimeoutS, time.Second)
	if args.TimeoutMS != 0 {
		timeout, err = timeoutOf("timeout_ms", args.TimeoutMS, time.Millisecond)
	}
	if err != nil {
		return wire.RunCodeResult{}, err
	}
	language, ok := kernel.Lookup(args.Language)
	if !ok {
		return wire.RunCodeResult{}, apierr.Errorf(apierr.InvalidArgument, "run_code: invalid language %q", args.Language).
			WithHint("use one of %s", strings.Join(kernel.Names(), ", "))
	}
	res, err := kernel.New(ws.Guest, language).Run(ctx, args.Code, timeout)
	if err != nil {
		return wire.RunCodeResult{}, err
	}
	return codeResult(res, ws.nextExecution()), nil
}

// codeResult returns res as it travels. An error is told in three places,
// because each of AGB's clients looks in another.
func codeResult(res *kernel.Result, count int) wire.RunCodeResult {
	items, cost := codeItems(res.Items)
	out, errOut := fitOutputs(res.Stdout, res.Stderr, outputBudget-cost-errorCost(res.Error))
	r := wire.RunCodeResult{
		Results: items, Stdout: lines(out), Stderr: lines(errOut), TimedOut: res.TimedOut,
		StdoutDropped: res.StdoutDropped + int64(len(res.Stdout)-len(out)),
		StderrDropped: res.StderrDropped + int64(len(res.Stderr)-len(errOut)),
	}
	r.SetExecution(count, res.Duration)
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

// itemBudget is how much of [outputBudget] the results of code may take.
const itemBudget = 8 << 20

// codeItems returns results as they travel, and what they take encoded. A
// result that no longer fits says so in its place.
func codeItems(items []kernel.Item) ([]wire.JSONText[wire.CodeItem], int) {
	texts, total := []wire.JSONText[wire.CodeItem]{}, 0
	for _, item := range items {
		ci := wire.CodeItem{wire.ItemMain: item.Main}
		for mime, v := range item.Data {
			ci[mime] = v
		}
		text := wire.JSONText[wire.CodeItem]{V: ci}
		b, err := text.MarshalText()
		cost := nestedCost(b)
		if err != nil || total+cost > itemBudget {
			text.V = wire.CodeItem{wire.ItemMain: item.Main, "text/plain": fmt.Sprintf("[result of %d bytes left out]", len(b))}
			cost = 0
		}
		total += cost
		texts = append(texts, text)
	}
	return texts, total
}

// lines returns output as the one text that it is; none when there is none.
func lines(b []byte) []string {
	if len(b) == 0 {
		return []string{}
	}
	return []string{replaceInvalid(b)}
}
