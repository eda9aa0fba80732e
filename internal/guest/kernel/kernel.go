// Package kernel runs code of a language in a sandbox and tells its results
// apart from its output.
//
// A language is an interpreter in the sandbox and a small driver for it, which
// is embedded here. The driver takes the code from a descriptor of its own,
// runs it, and writes what the code evaluated to and how it failed to another,
// the report:
//
//	engine                              sandbox
//	run python3 -c driver ──────────────▶
//	program (fd 3): "1/0" ──────────────▶  the driver reads all of it first
//	         ◀─────────────────────────── output of the code (fd 1, fd 2)
//	         ◀─────────────────────────── report (fd 4): {"items":[],"error":{…}}
//
// So output is output, whatever it looks like. Programs that the code starts
// do not have the report's descriptor. The code itself, being in the same
// process, can find it; what it could forge is the result of itself, and a
// report that is not as it should be is an error of the run, nothing else.
package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/agb-go/sdk/internal/guest"
)

// CodeLimit is how many bytes of code a Kernel takes.
const CodeLimit = 4 << 20

// ErrCodeTooLong means that there are more than [CodeLimit] bytes of code.
var ErrCodeTooLong = errors.New("kernel: code too long")

// A Kernel runs code of one language in one sandbox, each run in a fresh
// interpreter: nothing but files stays from one run to the next. It is safe
// for concurrent use.
type Kernel struct {
	client   *guest.Client
	language Language
}

// New returns a Kernel. It does no I/O.
func New(client *guest.Client, language Language) *Kernel { return &Kernel{client, language} }

// Result is how code ended.
type Result struct {
	Items          []Item // in the order in which the code showed them
	Stdout, Stderr []byte
	StdoutDropped  int64 // bytes beyond [guest.OutputLimit]
	StderrDropped  int64
	Error          *Error // nil when the code ran to its end
	ErrorShown     bool   // whether Stderr tells Error already
	TimedOut       bool
	Duration       time.Duration
}

// Error is what ended code.
type Error struct {
	Name      string // such as "ZeroDivisionError"
	Value     string // such as "division by zero"
	Traceback string // of several lines; may be empty
}

// Text returns the error with its traceback, as interpreters print it.
func (e *Error) Text() string {
	if e.Traceback != "" {
		return strings.TrimRight(e.Traceback, "\n")
	}
	return e.Name + ": " + e.Value
}

// MissingError means that the sandbox has no interpreter for a language.
type MissingError struct {
	Language     string
	Interpreters []string // programs that were looked for
	Install      string   // how to get one
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("no interpreter for %s: %s not found", e.Language, strings.Join(e.Interpreters, ", "))
}

// Run runs code and waits for its end. That code failed, or took longer than
// timeout, is no error but in the Result. The error is [ErrCodeTooLong], a
// [*MissingError], or one of [guest.Client.Run].
func (k *Kernel) Run(ctx context.Context, code string, timeout time.Duration) (*Result, error) {
	if len(code) > CodeLimit {
		return nil, ErrCodeTooLong
	}
	cmd, err := k.command(ctx, code)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd.Timeout, cmd.Stdout, cmd.Stderr = timeout, &stdout, &stderr
	exit, err := k.client.Run(ctx, cmd)
	if err != nil {
		return nil, err
	}
	r := &Result{
		Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), StdoutDropped: exit.StdoutDropped, StderrDropped: exit.StderrDropped,
		TimedOut: exit.TimedOut, Duration: exit.Duration,
	}
	k.conclude(r, exit, timeout)
	return r, nil
}

// command finds the interpreter and returns the command that runs code.
func (k *Kernel) command(ctx context.Context, code string) (guest.Command, error) {
	l := k.language.spec
	path, err := k.client.LookPath(ctx, l.interpreters...)
	if errors.Is(err, fs.ErrNotExist) {
		return guest.Command{}, &MissingError{Language: l.name, Interpreters: l.interpreters, Install: l.install}
	}
	if err != nil {
		return guest.Command{}, err
	}
	for name, content := range l.files {
		if _, err := k.client.Write(ctx, name, guest.Overwrite, 0o644, strings.NewReader(content)); err != nil {
			return guest.Command{}, fmt.Errorf("kernel: driver of %s: %w", l.name, err)
		}
	}
	cmd := guest.Command{Args: append([]string{path}, l.args...), Env: l.env, Report: l.reports}
	if l.stdin {
		cmd.Stdin = strings.NewReader(code)
	} else {
		cmd.Program = []byte(code)
	}
	return cmd, nil
}

// conclude fills in what the report and the exit say.
func (k *Kernel) conclude(r *Result, exit guest.Exit, timeout time.Duration) {
	rep, err := parseReport(exit.Report, exit.ReportDropped)
	r.Items = rep.items
	switch {
	case exit.TimedOut:
		r.Error = &Error{Name: "TimeoutError", Value: fmt.Sprintf("the code was ended after %v", timeout)}
	case err != nil:
		r.Error = &Error{Name: "ReportError", Value: err.Error()}
	case rep.err != nil:
		r.Error, r.ErrorShown = rep.err, true
	case exit.Signal != 0:
		r.Error = &Error{Name: "ExitError", Value: fmt.Sprintf("the interpreter was ended by signal %d", exit.Signal)}
	case exit.Code != 0:
		r.Error = &Error{Name: "ExitError", Value: fmt.Sprintf("exit status %d", exit.Code)}
	}
}
