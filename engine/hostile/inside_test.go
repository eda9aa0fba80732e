//go:build linux && (amd64 || arm64)

package hostile

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest"
)

// TestPlanted is of what user code leaves for others to stumble on: those who
// run later in its session, the engine, and the host.
func TestPlanted(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	tryAll(t, newLab(t, engine.Config{}), plantTrials())
}

func plantTrials() []trial {
	return []trial{
		{id: "N20", control: bareWins(`grep -q '^Seccomp:.0' /proc/self/status && mknod "$HOME/node" c 1 3 && echo WIN`), run: fiftieth},
		{id: "N21", control: bareWins(`echo 'cat "$H1"' >env; BASH_ENV=$PWD/env bash -c true`), run: environment},
		{id: "N22", control: bareWins(`echo 'import os; print(open(os.environ["H1"]).read())' >sitecustomize.py; PYTHONPATH=. python3 -c pass`), run: startupFiles},
		{id: "N28", control: bareWins(`ulimit -c unlimited && sh -c 'kill -SEGV $$'; test "$(ulimit -c)" = unlimited && echo WIN`), run: crash},
		{id: "N39", run: fatalImages},
		{id: "W14", control: listensInBare, run: listensInside},
	}
}

// fiftieth requires that the layers hold for a session's fiftieth command as for
// its first.
func fiftieth(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	layers := func() string {
		return sh(t, s, `
			grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/self/status
			cat /proc/self/cgroup /proc/self/uid_map
			grep -v 'file locks' /proc/self/limits # which marks each command
			cut -d ' ' -f 3- /proc/self/mountinfo
			readlink /proc/self/ns/*; ls /proc/self/fd | wc -l
			for d in /tmp /dev /dev/shm "$HOME"; do mknod "$d/node" c 1 3 && echo "made in $d"; done 2>&1`)
	}
	first := layers()
	require.Contains(t, first, "Seccomp:\t2")
	require.NotContains(t, first, "made in")
	for range 48 {
		sh(t, s, "true")
	}
	require.Equal(t, first, layers())
	remove(t, s)
}

// hostileEnv is an environment that makes interpreters and the linker run what
// it names.
func hostileEnv(path string) map[string]string {
	env := map[string]string{"IFS": "/", "GCONV_PATH": "/tmp", "PERL5LIB": "/tmp", "PERL5OPT": "-Mx", "PYTHONPATH": "/tmp"}
	for _, name := range []string{"LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PYTHONSTARTUP"} {
		env[name] = path
	}
	env["NODE_OPTIONS"] = "--require " + path
	env["LD_LIBRARY_PATH"] = "/tmp"
	return env
}

// environment requires that a command's environment reaches that command alone,
// behind the filter.
func environment(t *testing.T, l lab) {
	t.Helper()
	s, w := l.create(t), newWorld(t)
	vars := w.variables("1")
	vars["ATTACK"] = upload(t, s)
	sh(t, s, `printf 'unset BASH_ENV ENV; cat "$H1"; $ATTACK status; touch /tmp/ran\n' >/tmp/plant.js`)
	for name, value := range hostileEnv("/tmp/plant.js") {
		vars[name] = value
	}
	for _, script := range []string{"bash -c true", "sh -c true", "python3 -c pass", "node -e 1", "perl -e 1", "true"} {
		res, err := s.Command.Run(t.Context(), script, &command.RunOptions{Env: vars})
		require.NoError(t, err)
		require.Empty(t, w.harm([]byte(res.Stdout+res.Stderr)), script)
	}
	require.Equal(t, "ran", sh(t, s, "rm /tmp/ran && echo ran"), "the plant has grown")
	require.Empty(t, sh(t, s, "env | grep -e LD_ -e BASH_ENV -e NODE || true"))
	require.Equal(t, "absent", sh(t, s, "bash -c true; sh -c true; test -e /tmp/ran || echo absent"))
	remove(t, s)
}

// startupFiles requires that files that interpreters run at their start are run
// behind the filter.
func startupFiles(t *testing.T, l lab) {
	t.Helper()
	s, w := l.create(t), newWorld(t)
	program := upload(t, s)
	sh(t, s, `
		cat >plant.sh <<-END
			`+exports(w.variables("1"))+`
			cat "$H1"; `+program+` status
		END
		for f in .bashrc .profile .bash_profile .zshrc .inputrc .npmrc .noderc; do cp plant.sh $f; done
		d=$(python3 -c 'import site; print(site.getusersitepackages())'); mkdir -p "$d"
		printf 'import os\nos.system("sh /home/user/plant.sh")\n' >"$d/sitecustomize.py"
		cp "$d/sitecustomize.py" "$d/usercustomize.py"; cp "$d/sitecustomize.py" .; cp "$d/sitecustomize.py" json.py
		echo 'import os; os.system("sh /home/user/plant.sh")' >"$d/x.pth"
		mkdir -p node_modules/fs; echo 'Object.prototype.toString = null' >node_modules/fs/index.js`)
	for lang, source := range map[code.Language]string{code.Bash: "echo fine", code.Python: "print('fine')", code.JavaScript: "console.log('fine')"} {
		res, err := s.Code.Run(t.Context(), lang, source, nil)
		if errors.Is(err, agb.ErrInterpreterMissing) {
			continue
		}
		require.NoError(t, err)
		require.Empty(t, w.harm([]byte(res.Stdout+res.Stderr)), lang)
		require.Contains(t, res.Stdout, "fine", lang)
	}
	require.Equal(t, "alive", sh(t, s, "echo alive"))
	remove(t, s)
}

// crash requires that a crash leaves no core, and starts no handler.
func crash(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	res, err := s.Command.Run(t.Context(), `ulimit -c unlimited; ulimit -c; ln -s /bin/sleep 'odd %p | name'; sh -c 'kill -SEGV $$'; (kill -ABRT $$); ls /tmp; ls | grep core`, nil)
	require.NoError(t, err)
	require.NotContains(t, res.Stdout, "unlimited")
	require.NotContains(t, res.Stdout, "core")
	require.Equal(t, "1", sh(t, s, `awk '/Max core/ {print $6}' /proc/self/limits`), "with 0 the kernel starts a handler")
	remove(t, s)
}

// fatalImages requires that nobody makes an image of what no sandbox may see.
func fatalImages(t *testing.T, _ lab) {
	t.Helper()
	for _, root := range []string{"/", "//", "/.", "/proc", "/proc/self/root", "/sys", "/dev", "/var/run/docker.sock", given.Temp + "/../../..", ""} {
		e, err := engine.New(engine.Config{Images: map[string]engine.Image{"fatal": {Root: root}}})
		if err != nil {
			continue
		}
		require.NoError(t, e.Close())
		l := startLab(t, engine.Config{Images: map[string]engine.Image{"fatal": {Root: root}}})
		_, err = l.client.Create(t.Context(), &agb.CreateParams{ImageID: "fatal"})
		require.NoError(t, l.engine.Close())
		require.Error(t, err, "an image of %q", root)
	}
}

// listensInBare is a control: what listens in a bare process is to be reached.
func listensInBare(t *testing.T) bool {
	t.Helper()
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, lis.Close()) }()
	_, port, err := net.SplitHostPort(lis.Addr().String())
	require.NoError(t, err)
	return reaches(t, port)
}

func reaches(t *testing.T, port string) bool {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "::1", internalAddr} {
		d := net.Dialer{Timeout: time.Second}
		if c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port)); err == nil {
			require.NoError(t, c.Close())
			return true
		}
	}
	return false
}

// listensInside requires that neither the host nor another session reaches what
// listens in one.
func listensInside(t *testing.T, l lab) {
	t.Helper()
	s, other := l.create(t), l.create(t)
	for _, each := range []string{"0.0.0.0", "::"} {
		sh(t, s, upload(t, s)+` listen "`+each+`" 8080 </dev/null >/dev/null 2>&1 & sleep 0.2`)
	}
	require.Contains(t, sh(t, s, upload(t, s)+" connect tcp 127.0.0.1:8080"), "WIN", "it listens")
	require.False(t, reaches(t, "8080"))
	require.NotContains(t, sh(t, other, upload(t, other)+` connect tcp 127.0.0.1:8080 tcp "[::1]:8080"`), "WIN")
	remove(t, s)
	remove(t, other)
}
