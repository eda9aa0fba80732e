package drivertest

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// canary is an environment variable of the owner that no sandbox may see.
const canary = "RELCANARY"

func (s *suite) environment() {
	t := s.t
	token := rand.Text()
	t.Setenv(canary, token)
	b := s.sandbox()
	got := b.Run(t, "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'")
	require.NotContains(t, got.Stdout, canary)
	require.NotContains(t, got.Stdout, token)
	require.Contains(t, got.Stdout, "PATH=")
	require.Contains(t, got.Stdout, "HOME=/home/user\n")
}

func (s *suite) descriptors() {
	t := s.t
	b := s.sandbox()
	require.Equal(t, []string{"0", "1", "2"}, lines(b.Output(t, "ls /proc/$$/fd")))
}

func (s *suite) user() {
	t := s.t
	b := s.sandbox()
	require.NotEqual(t, "0\n", b.Output(t, "id -u"))
	status := map[string]string{}
	for line := range strings.Lines(b.Output(t, "cat /proc/self/status")) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.TrimSpace(value)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		require.Equal(t, "0000000000000000", status[set], set)
	}
	require.Equal(t, "1", status["NoNewPrivs"])
	require.Equal(t, "2", status["Seccomp"])
}

func (s *suite) hostFiles() {
	t := s.t
	token := rand.Text()
	path := filepath.Join(t.TempDir(), "canary")
	require.NoError(t, os.WriteFile(path, []byte(token), 0o644))
	b := s.sandbox()
	for _, p := range []string{path, strings.Repeat("../", 64) + path, "/proc/1/root" + path, "/proc/self/root" + path} {
		got := b.Run(t, "cat '"+p+"'")
		require.NotZero(t, got.Exit.Code, p)
		require.NotContains(t, got.Stdout, token, p)
	}
	require.Equal(t, []string{"user"}, lines(b.Output(t, "ls -A /home")))
	require.Empty(t, b.Output(t, "ls -A /home/user"))
	require.Empty(t, b.Run(t, "cat /etc/shadow /etc/gshadow /etc/sudoers").Stdout)
	require.Empty(t, b.Run(t, "ls -A /root /srv /mnt /media /boot").Stdout)
}

func (s *suite) network() {
	t := s.t
	b := s.sandbox()
	for i, line := range strings.Split(strings.TrimSpace(b.Output(t, "cat /proc/net/dev")), "\n") {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		require.True(t, i < 2 || name == "lo", "interface %s", name)
	}
	require.Len(t, strings.Split(strings.TrimSpace(b.Output(t, "cat /proc/net/route")), "\n"), 1, "no route")
}

func (s *suite) hostSockets() {
	t := s.t
	dir, err := os.MkdirTemp("", "drivertest") // short, for a socket's path
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	b := s.sandbox()
	for _, l := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"},
		{"unix", filepath.Join(dir, "s")},
		{"unix", "@" + filepath.Base(dir)},
	} {
		listener, err := new(net.ListenConfig).Listen(t.Context(), l.network, l.address)
		if err != nil {
			t.Logf("not tried: %v", err)
			continue
		}
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			if conn, err := listener.Accept(); err == nil {
				accepted <- struct{}{}
				_ = conn.Close() // seen
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		conn, err := b.Client.Dial(ctx, l.network, listener.Addr().String())
		cancel()
		require.Error(t, err, "%s is reachable", listener.Addr())
		require.Nil(t, conn)
		require.NoError(t, listener.Close())
		_, reached := <-accepted
		require.False(t, reached, "%s was reached", listener.Addr())
	}
}

func (s *suite) processes() {
	t := s.t
	b := s.sandbox()
	pids := lines(b.Output(t, "cd /proc; for p in [0-9]*; do echo $p; done"))
	require.Contains(t, pids, "1")
	require.LessOrEqual(t, len(pids), 3, "only the sandbox's own processes: %v", pids)
	if owner := os.Getpid(); owner > 1000 {
		require.NotZero(t, b.Run(t, "kill -0 "+strconv.Itoa(owner)).Exit.Code, "the owner is visible")
	}
	var group sync.WaitGroup
	group.Go(func() {
		b.Run(t, "n=0; while [ $n -lt 20 ]; do i=1; while [ $i -le 64 ]; do kill -$i 1; i=$((i+1)); done; n=$((n+1)); done")
	})
	for range 50 { // the agent starts processes and threads meanwhile
		b.Run(t, "true")
	}
	group.Wait()
	require.Equal(t, "still there\n", b.Output(t, "echo still there"), "pid 1 withstands signals from inside")
}

func (s *suite) hostName() {
	t := s.t
	b := s.sandbox()
	require.Equal(t, Spec.Hostname+"\n", b.Output(t, "uname -n"))
}

func (s *suite) writable() {
	t := s.t
	b := s.sandbox()
	for _, dir := range []string{"/tmp", "/var/tmp", "/home/user", "/dev/shm"} {
		require.Equal(t, "x\n", b.Output(t, "cd "+dir+" && echo x > f && cat f"), dir)
	}
	for _, dir := range []string{"/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/proc/sys/kernel"} {
		require.NotZero(t, b.Run(t, "echo x > "+dir+"/f").Exit.Code, dir)
	}
	for _, file := range []string{"/etc/passwd", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/usr/bin/env"} {
		require.NotZero(t, b.Run(t, "echo x >> "+file).Exit.Code, file)
	}
}

func (s *suite) apart() {
	t := s.t
	r := s.runtime()
	one, two := Create(t, r, Spec), Create(t, r, Spec)
	for _, dir := range []string{"/tmp", "/var/tmp", "/home/user", "/dev/shm"} {
		one.Output(t, "echo secret > "+dir+"/f")
		require.NotZero(t, two.Run(t, "cat "+dir+"/f").Exit.Code, dir)
	}
}
