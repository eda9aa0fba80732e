package session_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/internal/sessiontest"
	"github.com/agb-go/sdk/session"
)

// servers are, in a session: one that echoes on port 8001 and on the socket
// /tmp/s, one that takes in everything and says how much on 8002, one that
// resets on 8003, one that sends without end on 8004, and HTTP on 8005, where
// /trickle is half an answer until the client hangs up, and WebSockets of short
// messages echo.
const servers = `
import asyncio, base64, hashlib, http.server, socket, socketserver, struct, threading
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while b := self.request.recv(65536): self.request.sendall(b)
class Count(socketserver.BaseRequestHandler):
    def handle(self):
        n = 0
        while b := self.request.recv(65536): n += len(b)
        self.request.sendall(str(n).encode())
class Reset(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()
class Flood(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while True: self.request.sendall(b"x" * 65536)
        except OSError: pass
class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def websocket(self):
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        kind = 0
        while kind != 0x88: # close
            kind, size = self.rfile.read(2)
            mask = self.rfile.read(4)
            b = bytes(c ^ mask[i % 4] for i, c in enumerate(self.rfile.read(size & 127)))
            self.wfile.write(bytes([kind, len(b)]) + b)
        self.close_connection = True
    def do_GET(self):
        if self.headers["Upgrade"] == "websocket": return self.websocket()
        if self.path == "/trickle":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"first")
            self.rfile.read(1)
            return
        body = (self.headers["Host"] + self.path).encode()
        if self.path == "/never": threading.Event().wait()
        if self.path.startswith("/headers"): body += b"\n" + str(self.headers).encode()
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Set-Cookie", "inside=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
async def echo(reader, writer):
    try:
        while b := await reader.read(65536):
            writer.write(b)
            await writer.drain()
        writer.close()
    except OSError: pass
async def many():
    async with await asyncio.start_server(echo, "127.0.0.1", 8001, backlog=1024) as server:
        open("/tmp/ready", "w").close()
        await server.serve_forever()
class TCP(socketserver.ThreadingTCPServer):
    daemon_threads = True
class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
all = [TCP(("127.0.0.1", 8002), Count), TCP(("127.0.0.1", 8003), Reset),
       TCP(("127.0.0.1", 8004), Flood), TCP(("127.0.0.1", 8005), Web), Unix("/tmp/s", Echo)]
for s in all: threading.Thread(target=s.serve_forever).start()
asyncio.run(many())
`

// dialable returns sessions with those servers, one through memory and one
// through a port.
func dialable(t *testing.T) map[string]*session.Session {
	t.Helper()
	sessions := sessiontest.New(t)
	for _, s := range sessions {
		serve(t, s)
	}
	return sessions
}

// serve starts the servers in a session.
func serve(t *testing.T, s *session.Session) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	_, err := s.FileSystem.WriteFile(t.Context(), "/tmp/s.py", []byte(servers), nil)
	require.NoError(t, err)
	_, err = s.Command.Run(t.Context(), "nohup python3 /tmp/s.py >/tmp/s.log 2>&1 & until [ -e /tmp/ready ]; do sleep 0.05; done", nil)
	require.NoError(t, err)
}

// each runs test with both sessions.
func each(t *testing.T, test func(*testing.T, *session.Session)) {
	t.Helper()
	for name, s := range dialable(t) {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func dial(t *testing.T, s *session.Session, network, address string) net.Conn {
	t.Helper()
	c, err := s.Dial(t.Context(), network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func closeWrite(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
}

func TestDial(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		for _, to := range [][2]string{{"tcp", "localhost:8001"}, {"tcp", "127.0.0.1:8001"}, {"unix", "/tmp/s"}} {
			c := dial(t, s, to[0], to[1])
			require.Equal(t, s.ID+"/"+to[1], c.RemoteAddr().String())
			sent := bytes.Repeat([]byte("0123456789"), 300_000)
			var wrote sync.WaitGroup
			wrote.Go(func() {
				_, _ = c.Write(sent)
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
			})
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			wrote.Wait()
			require.True(t, bytes.Equal(sent, got))
			require.NoError(t, c.Close())
			_, err = c.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
			_, err = c.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, c.Close(), net.ErrClosed)
		}

		// What was written before Close arrives.
		c := dial(t, s, "tcp", "localhost:8002")
		_, err := c.Write(make([]byte, 50_000))
		require.NoError(t, err)
		closeWrite(t, c)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "50000", string(got))

		// Deadlines pass, and the connection stays.
		c = dial(t, s, "tcp", "localhost:8001")
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		_, err = c.Write([]byte("x"))
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, 1))
		require.NoError(t, err)

		// Who does not read holds up the server inside and nobody else.
		flood := dial(t, s, "tcp", "localhost:8004")
		_, err = io.ReadFull(flood, make([]byte, 5<<20))
		require.NoError(t, err)
		require.NoError(t, flood.Close())
	})
}

func TestDialFails(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		for _, c := range []struct {
			network, address string
			code             apierr.Code
		}{
			{"tcp", "127.0.0.1:9", apierr.Unavailable},
			{"unix", "/tmp/none", apierr.NotFound},
			{"tcp", "127.0.0.1", apierr.InvalidArgument},
			{"tcp", "127.0.0.1:0", apierr.InvalidArgument},
			{"tcp", "192.0.2.1:80", apierr.InvalidArgument},
			{"udp", "127.0.0.1:53", apierr.InvalidArgument},
		} {
			_, err := s.Dial(t.Context(), c.network, c.address)
			require.Equal(t, c.code, apierr.CodeOf(err), "%v", err)
			e := apierr.From(err)
			require.Equal(t, "session.Dial", e.Op)
			require.Equal(t, s.ID, e.SessionID)
			require.NotEmpty(t, e.RequestID)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Dial(canceled, "tcp", "localhost:8001")
		require.ErrorIs(t, err, context.Canceled)

		c := dial(t, s, "tcp", "localhost:8003")
		_, err = c.Write([]byte("x"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, apierr.Unavailable.Err())
		require.ErrorContains(t, err, "reset")
	})
}

// The context of Dial has nothing to do with the connection.
func TestDialContext(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		c, err := s.Dial(ctx, "tcp", "localhost:8001")
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		cancel()
		for range 3 {
			_, err = c.Write([]byte("x"))
			require.NoError(t, err)
			_, err = io.ReadFull(c, make([]byte, 1))
			require.NoError(t, err)
		}
	})
}

// When the session ends its connections do, and say why.
func TestDialedSessionEnds(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		reading, writing := dial(t, s, "tcp", "localhost:8001"), dial(t, s, "tcp", "localhost:8002")
		ended := make(chan error, 2)
		go func() {
			_, err := reading.Read(make([]byte, 1))
			ended <- err
		}()
		go func() {
			var err error
			for err == nil {
				_, err = writing.Write(make([]byte, 64<<10))
			}
			ended <- err
		}()
		_, err := s.Delete(t.Context())
		require.NoError(t, err)
		for range 2 {
			select {
			case err := <-ended:
				require.ErrorIs(t, err, apierr.SessionNotFound.Err())
			case <-time.After(5 * time.Second):
				require.Fail(t, "it goes on")
			}
		}
		_, err = s.Dial(t.Context(), "tcp", "localhost:8001")
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
	})
}

// So many streams at once and no more; what is closed makes room.
func TestStreamLimit(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		const limit = 512
		open := make([]net.Conn, limit)
		for i := range open {
			open[i] = dial(t, s, "tcp", "localhost:8001")
		}
		_, err := s.Dial(t.Context(), "tcp", "localhost:8001")
		require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
		for i, c := range open {
			_, err := c.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
		for i, c := range open {
			var b [1]byte
			_, err := io.ReadFull(c, b[:])
			require.NoError(t, err)
			require.Equal(t, byte(i), b[0])
			require.NoError(t, c.Close())
		}
		for {
			c, err := s.Dial(t.Context(), "tcp", "localhost:8001")
			if err == nil {
				require.NoError(t, c.Close())
				break
			}
			require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// A thousand streams of two sessions at once, one of them through a port, leave
// nothing open behind.
func TestThousandStreams(t *testing.T) {
	sessions := dialable(t)
	files := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(list)
	}
	before, goroutines := files(), runtime.NumGoroutine()
	var open []net.Conn
	for range 500 {
		for _, s := range sessions {
			c, err := s.Dial(t.Context(), "tcp", "localhost:8001")
			require.NoError(t, err)
			open = append(open, c)
		}
	}
	for i, c := range open {
		_, err := c.Write([]byte{byte(i)})
		require.NoError(t, err)
	}
	for i, c := range open {
		var b [1]byte
		_, err := io.ReadFull(c, b[:])
		require.NoError(t, err)
		require.Equal(t, byte(i), b[0])
		require.NoError(t, c.Close())
	}
	const others = 8 // connections that wait for the next call
	require.Eventually(t, func() bool { return files() <= before+others && runtime.NumGoroutine() <= goroutines+others }, 10*time.Second, 10*time.Millisecond,
		"%d files, %d goroutines", before, goroutines)
}

// An engine that closes, or a server that goes, takes its streams along.
func TestDialedEngineCloses(t *testing.T) {
	eng, err := engine.New(engine.Config{})
	require.NoError(t, err)
	c, err := agb.New(agb.WithTransport(eng.Transport()))
	require.NoError(t, err)
	created, err := c.Create(t.Context(), nil)
	require.NoError(t, err)
	s := created.Session
	serve(t, s)
	conn := dial(t, s, "tcp", "localhost:8001")
	require.NoError(t, eng.Close())
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, io.EOF)
}
