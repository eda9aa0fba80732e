package kernel_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/guest/kernel"
)

// mute is a guest that is asked for programs, and does not answer.
type mute struct {
	guest.Handler
	asked chan struct{}
}

func (m mute) LookPath(ctx context.Context, _ ...string) (string, error) {
	m.asked <- struct{}{}
	<-ctx.Done()
	return "", ctx.Err()
}

// runtime is a guest that has a Java without a compiler.
type runtime struct{ guest.Handler }

func (runtime) LookPath(_ context.Context, names ...string) (string, error) {
	return "/usr/bin/" + names[0], nil
}

func (runtime) Run(_ context.Context, cmd guest.Command) (guest.Exit, error) {
	if strings.Contains(strings.Join(cmd.Args, " "), "jdk.jshell") {
		return guest.Exit{Code: 1}, nil
	}
	_, err := cmd.Stdout.Write([]byte("openjdk version 21\n"))
	return guest.Exit{}, err
}

// A Java that cannot run code is none.
func TestJavaWithoutCompiler(t *testing.T) {
	engine, sandbox := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = guest.Serve(sandbox, runtime{}, nil)
	}()
	client := guest.NewClient(engine)
	defer func() {
		_ = client.Close()
		<-served
	}()
	language, _ := kernel.Lookup("java")
	_, err := language.Version(t.Context(), client)
	var missing *kernel.MissingError
	require.ErrorAs(t, err, &missing)
	require.True(t, missing.Unfit)
	require.Contains(t, missing.Install, "development kit")
}

// A context ends while its guest is asked for the interpreter.
func TestCloseWhileStarting(t *testing.T) {
	engine, sandbox := net.Pipe()
	m := mute{asked: make(chan struct{})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = guest.Serve(sandbox, m, nil)
	}()
	client := guest.NewClient(engine)
	defer func() {
		_ = client.Close()
		<-served
	}()
	language, _ := kernel.Lookup("python")
	c := kernel.NewContext(client, language, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, "1", kernel.Options{})
		ran <- err
	}()
	<-m.asked
	ended := make(chan struct{})
	go func() {
		_ = c.Interrupt(t.Context())
		_ = c.Restart(t.Context())
		c.Abandon()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it waits for the guest")
	}
	cancel()
	require.Error(t, <-ran)
	<-ended
	_, err := c.Run(t.Context(), "1", kernel.Options{})
	require.ErrorIs(t, err, kernel.ErrClosed)
}
