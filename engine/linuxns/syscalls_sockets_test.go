//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/guest"
)

// servers talk to themselves by name and by number over the sandbox's own
// network, and print the greeting. What they do without there: addresses of
// interfaces, and filters for sockets.
var servers = []struct{ name, prepare, run string }{
	{"python3", "", `python3 -c '
import http.server, socket, threading, urllib.request
assert socket.getaddrinfo("localhost", 80) and socket.getaddrinfo("127.0.0.1", 80, flags=socket.AI_ADDRCONFIG)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
threading.Thread(target=s.serve_forever, daemon=True).start()
print(urllib.request.urlopen("http://localhost:%d/" % s.server_port).read().decode())'`},
	{"node", "", `node -e '
const s = require("http").createServer((q, a) => a.end("hello"))
s.listen(0, "localhost", async () => {
	const url = "http://localhost:" + s.address().port
	const text = await new Promise((ok, bad) => require("http").get(url, r => r.on("data", d => ok(String(d)))).on("error", bad))
	if (globalThis.fetch && await (await fetch(url)).text() !== text) throw "fetch"
	console.log(text); process.exit()
})'`},
	{"javac", `cat >/tmp/Echo.java <<'END'
import java.net.*;
class Echo {
	public static void main(String[] a) throws Exception {
		try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getByName("localhost"));
				Socket c = new Socket("localhost", s.getLocalPort()); Socket d = s.accept()) {
			c.getOutputStream().write("hello\n".getBytes());
			byte[] b = new byte[6];
			System.out.write(b, 0, d.getInputStream().readNBytes(b, 0, 6));
			System.out.flush();
		}
	}
}
END
javac -d /tmp /tmp/Echo.java`, `java -cp /tmp Echo`},
}

func TestSystemCallsOfServers(t *testing.T) {
	r := usable(t)
	for _, p := range servers {
		t.Run(p.name, func(t *testing.T) {
			b := drivertest.Create(t, r, toolSpec())
			if b.Run(t, goPath+"command -v "+p.name).Exit.Code != 0 {
				t.Skip("not installed")
			}
			prepare(t, b, goPath+p.prepare)
			got := b.Run(t, goPath+p.run)
			require.Zero(t, got.Exit.Code, "%s", got.Stderr)
			require.Equal(t, greeting, got.Stdout, "%s", got.Stderr)
		})
	}
	t.Run("go", func(t *testing.T) {
		b := drivertest.Create(t, r, toolSpec())
		_, err := b.Client.Write(t.Context(), "/tmp/echo", guest.CreateNew, 0o755, bytes.NewReader(compileTest(t, "echo")))
		require.NoError(t, err)
		require.Equal(t, greeting, b.Output(t, "/tmp/echo"))
	})
}
