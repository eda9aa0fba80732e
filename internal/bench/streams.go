package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// echoServer sends back what it gets, and says its port first.
const echoServer = `
import socket, threading
def echo(c):
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while b := c.recv(65536): c.sendall(b)
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True: threading.Thread(target=echo, args=(s.accept()[0],)).start()
`

// streamed is how many bytes are streamed at once.
const streamed = 256 << 20

// streams measures commands to talk to and connections, through memory and
// through a port.
func streams(ctx context.Context, w io.Writer, n int) (err error) {
	const key = "akm-0123456789abcdef"
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()
	srv := httptest.NewServer(eng.Handler())
	defer srv.Close()
	all := []*series{
		{name: forkExec, once: process("/bin/echo", "hi")},
		{name: "fork + exec of /bin/echo, first byte", once: firstByte},
	}
	var trips []trip
	bare, stop, err := bareEcho(ctx)
	if err != nil {
		return err
	}
	defer stop()
	trips = append(trips, trip{"a plain connection on loopback", bare})
	var rates []string
	row := []*series{{name: forkExec, once: process("/bin/echo", "hi")}}
	for _, way := range []struct {
		name string
		opts []agb.Option
	}{
		{"memory", []agb.Option{agb.WithTransport(eng.Transport())}},
		{"port", []agb.Option{agb.WithAPIKey(key), agb.WithEndpoint(srv.URL)}},
	} {
		client, err := agb.New(way.opts...)
		if err != nil {
			return err
		}
		res, err := client.Create(ctx, &agb.CreateParams{ImageID: "host"})
		if err != nil {
			return err
		}
		s := res.Session
		all = append(all,
			&series{name: "Command.Run, " + way.name, peer: forkExec, once: command(s)},
			&series{name: "Command.Command, " + way.name, peer: forkExec, once: talk(s)},
			&series{name: "Command.Command, first byte, " + way.name, peer: all[1].name, once: talkFirstByte(s)})
		row = append(row, &series{name: "Command.Run, " + way.name, peer: forkExec, once: command(s)},
			&series{name: "Command.Command, first byte, " + way.name, once: talkFirstByte(s)})
		conn, err := echoInside(ctx, s)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		trips = append(trips, trip{"Session.Dial, " + way.name, conn})
		rate, err := flow(ctx, s)
		if err != nil {
			return err
		}
		rates = append(rates, fmt.Sprintf("%s %.0f MB/s", way.name, rate))
	}
	if err := rounds(ctx, all, n); err != nil {
		return err
	}
	report(w, all)
	if err := busily(ctx, w, row, 10*n); err != nil {
		return err
	}
	if err := roundTrips(w, trips, 20*n); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nOutput of a command as it comes, %d MiB: %s\n", streamed>>20, strings.Join(rates, ", "))
	return err
}

func talk(s *agb.Session) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		_, err := s.Command.Command(ctx, "/bin/echo", "hi").Output()
		return time.Since(start), err
	}
}

// firstByte measures the time to the first byte of a process.
func firstByte(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, "/bin/echo", "hi")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, err = out.Read(make([]byte, 1))
	d := time.Since(start)
	return d, errors.Join(err, cmd.Wait())
}

func talkFirstByte(s *agb.Session) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		cmd := s.Command.Command(ctx, "/bin/echo", "hi")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return 0, err
		}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		_, err = out.Read(make([]byte, 1))
		d := time.Since(start)
		_, _ = io.Copy(io.Discard, out) // Wait tells
		_, waitErr := cmd.Wait()
		return d, errors.Join(err, waitErr)
	}
}

// flow returns how many MB of output come in a second.
func flow(ctx context.Context, s *agb.Session) (float64, error) {
	cmd := s.Command.Shell(ctx, fmt.Sprintf("head -c %d /dev/zero", streamed))
	start := time.Now()
	if _, err := cmd.Run(); err != nil {
		return 0, err
	}
	return streamed / 1e6 / time.Since(start).Seconds(), nil
}

// bareEcho returns a connection to an echo server outside.
func bareEcho(ctx context.Context) (net.Conn, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "python3", "-c", echoServer)
	stop := func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	var port int
	if _, err := fmt.Fscan(out, &port); err != nil {
		stop()
		return nil, nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		stop()
	}
	return conn, stop, err
}

// echoInside returns a connection to an echo server in a session.
func echoInside(ctx context.Context, s *agb.Session) (net.Conn, error) {
	cmd := s.Command.Command(ctx, "python3", "-c", echoServer)
	cmd.Detach = true
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	var port int
	if _, err := fmt.Fscan(out, &port); err != nil {
		return nil, err
	}
	return s.Dial(ctx, "tcp", fmt.Sprintf("localhost:%d", port))
}

// trip is a connection to an echo server.
type trip struct {
	name string
	conn net.Conn
}

// roundTrips measures bytes that go and come back, in turns.
func roundTrips(w io.Writer, trips []trip, n int) error {
	times := make([][]time.Duration, len(trips))
	b := make([]byte, 1)
	for i := range n {
		for k, t := range trips {
			start := time.Now()
			if _, err := t.conn.Write(b); err != nil {
				return err
			}
			if _, err := io.ReadFull(t.conn, b); err != nil {
				return err
			}
			if i >= n/10 { // the rest is warming up
				times[k] = append(times[k], time.Since(start))
			}
		}
	}
	fmt.Fprintf(w, "\n| round trip of a byte, %d | p50 µs | p99 µs |\n|---|---|---|\n", n)
	for k, t := range trips {
		slices.Sort(times[k])
		fmt.Fprintf(w, "| %s | %.0f | %.0f |\n", t.name, us(quantile(times[k], 50)), us(quantile(times[k], 99)))
	}
	return nil
}
