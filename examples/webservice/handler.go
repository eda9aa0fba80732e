package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
)

// Limits of a request.
const (
	maxProgram = 64 << 10        // bytes of source
	maxOutput  = 64 << 10        // bytes of each stream that the answer repeats
	maxRunning = 8               // programs at once; more wait their turn
	runTimeout = 3 * time.Second // of a program
)

// answer is what a user gets for a program.
type answer struct {
	Stdout    string `json:"stdout"`
	Stderr    string `json:"stderr,omitempty"`
	Error     string `json:"error,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

type handler struct {
	client *agb.Client
	slots  chan struct{}
}

func newHandler(client *agb.Client) http.Handler {
	h := &handler{client: client, slots: make(chan struct{}, maxRunning)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", h.run)
	return mux
}

// run runs the request's body as a Python program in a sandbox that exists for
// this request alone.
func (h *handler) run(w http.ResponseWriter, r *http.Request) {
	program, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxProgram))
	if err != nil {
		http.Error(w, "the program is too long", http.StatusRequestEntityTooLarge)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-r.Context().Done():
		return
	}
	a, err := h.runPython(r.Context(), string(program))
	if err != nil {
		log.Printf("run: %v", err)
		http.Error(w, "the sandbox is not available", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a); err != nil {
		log.Printf("run: write answer: %v", err)
	}
}

func (h *handler) runPython(ctx context.Context, program string) (a answer, err error) {
	err = h.client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		res, err := s.Code.Run(ctx, code.Python, program, &code.RunOptions{Timeout: runTimeout})
		timedOut := errors.Is(err, agb.ErrTimeout) && res != nil
		if err != nil && !timedOut {
			return err
		}
		a = answer{Stdout: res.Stdout, Stderr: res.Stderr, Truncated: res.Truncated}
		switch {
		case timedOut:
			a.Error = "the program took longer than " + runTimeout.String()
		case res.Error != nil:
			a.Error = res.Error.Name + ": " + res.Error.Value
		}
		a.Stdout, a.Truncated = cut(a.Stdout, a.Truncated)
		a.Stderr, a.Truncated = cut(a.Stderr, a.Truncated)
		return nil
	})
	return a, err
}

// cut shortens s to what an answer repeats.
func cut(s string, truncated bool) (string, bool) {
	if len(s) <= maxOutput {
		return s, truncated
	}
	return s[:maxOutput], true
}
