//go:build linux && (amd64 || arm64)

package endurance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine"
)

const (
	apiKey    = "akm-endurance-0123456789"
	configEnv = "AGB_ENDURANCE_CONFIG"
)

func init() { roles["serve"] = serve }

// serveConfig is what a copy of the test program serves.
type serveConfig struct {
	StateDir string
	Pool     map[string]int
}

// serve serves an engine on the listener that is descriptor 3, until it is
// told to end.
func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	var c serveConfig
	if err := json.Unmarshal([]byte(os.Getenv(configEnv)), &c); err != nil {
		return err
	}
	file := os.NewFile(3, "listener")
	listener, err := net.FileListener(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	e, err := engine.New(engine.Config{
		StateDir: c.StateDir, Pool: c.Pool, APIKeys: []string{apiKey},
		IdleTimeout: engine.NoTimeout, MaxLifetime: engine.NoTimeout,
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: e.Handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	<-ctx.Done()
	err = e.Close()
	grace, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(err, server.Shutdown(grace))
}

// service is an engine in a process of its own. Its address stays the same when
// it is started again; who calls meanwhile waits.
type service struct {
	tb       testing.TB
	program  string
	config   serveConfig
	listener *os.File
	addr     string

	mu  sync.Mutex // held while it is started or ended
	cmd *exec.Cmd
	log bytes.Buffer
}

// newService starts a service that ends with the test.
func newService(tb testing.TB, config serveConfig) *service {
	tb.Helper()
	program, err := os.Executable()
	require.NoError(tb, err)
	return serviceOf(tb, program, config)
}

func serviceOf(tb testing.TB, program string, config serveConfig) *service {
	tb.Helper()
	skipUnavailable(tb)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the test
	require.NoError(tb, err)
	file, err := listener.(*net.TCPListener).File()
	require.NoError(tb, err)
	addr := listener.Addr().String()
	require.NoError(tb, listener.Close())
	s := &service{tb: tb, program: program, config: config, listener: file, addr: addr}
	s.start()
	tb.Cleanup(func() {
		if s.cmd != nil {
			s.end(unix.SIGKILL)
		}
		require.NoError(tb, file.Close())
	})
	return s
}

// start starts it and waits until it serves.
func (s *service) start() {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	config, err := json.Marshal(s.config)
	require.NoError(s.tb, err)
	s.cmd = exec.Command(s.program) //nolint:noctx // ended by end
	s.cmd.Env = append(os.Environ(), roleEnv+"=serve", configEnv+"="+string(config))
	s.cmd.ExtraFiles, s.cmd.Stderr = []*os.File{s.listener}, &s.log
	out, err := s.cmd.StdoutPipe()
	require.NoError(s.tb, err)
	require.NoError(s.tb, s.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = s.cmd.Wait() // why is in the log
	}
	require.NoError(s.tb, err, "%s", &s.log)
	require.Equal(s.tb, "ready\n", line)
}

// pid returns its process.
func (s *service) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// end sends it a signal that ends it, and requires that everything of it goes.
func (s *service) end(signal unix.Signal) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := s.cmd.Process.Pid
	all := below(s.tb, pid)
	require.NoError(s.tb, s.cmd.Process.Signal(signal))
	err := s.cmd.Wait()
	if signal == unix.SIGTERM {
		require.NoError(s.tb, err, "%s", &s.log)
	}
	requireGone(s.tb, all)
	requireNoGroups(s.tb, pid)
	s.cmd = nil
}

// client returns a client of whoever listens at that address.
func client(tb testing.TB, addr string, opts ...agb.Option) *agb.Client {
	tb.Helper()
	c, err := agb.New(append(opts, agb.WithEndpoint("http://"+addr), agb.WithAPIKey(apiKey))...)
	require.NoError(tb, err)
	tb.Cleanup(c.CloseIdleConnections)
	return c
}

// createOn makes a session.
func createOn(tb testing.TB, c *agb.Client, p *agb.CreateParams) *agb.Session {
	tb.Helper()
	created, err := c.Create(tb.Context(), p)
	require.NoError(tb, err)
	return created.Session
}

// say has a session say something.
func say(tb testing.TB, s *agb.Session, text string) {
	tb.Helper()
	res, err := s.Command.Run(tb.Context(), "echo "+text, nil)
	require.NoError(tb, err)
	require.Equal(tb, text+"\n", res.Stdout)
}

func skipUnavailable(tb testing.TB) {
	tb.Helper()
	report, err := engine.Probe(tb.Context())
	if apierr.CodeOf(err) == apierr.Unsupported {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	if !report.Available {
		tb.Skip("no sandboxes here: ", report.Layers)
	}
}
