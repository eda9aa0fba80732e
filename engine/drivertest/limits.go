package drivertest

import (
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// Each limit is tested at its value and one beyond.

func (s *suite) diskLimit() {
	t := s.t
	b := s.sandbox()
	// Across places: they share one limit, of which the last page is ours.
	half := strconv.FormatInt(Spec.Limits.DiskBytes/2, 10)
	fill := func(path, size string) string {
		return "head -c " + size + " /dev/zero > " + path
	}
	b.Output(t, fill("/tmp/f", strconv.FormatInt(Spec.Limits.DiskBytes/2-64<<10, 10)))
	require.NotZero(t, b.Run(t, fill("/dev/shm/f", half)+" && "+fill("/var/tmp/f", "131072")).Exit.Code)
	b.Output(t, "rm /tmp/f && "+fill("/home/user/f", "1024"))
}

func (s *suite) inodeLimit() {
	t := s.t
	b := s.sandbox()
	n := int(Spec.Limits.DiskInodes)
	script := func(from, to int) string {
		return "i=" + strconv.Itoa(from) + "; while [ $i -lt " + strconv.Itoa(to) + " ]; do : > /tmp/$i || exit 1; i=$((i+1)); done"
	}
	b.Output(t, script(0, n))
	require.NotZero(t, b.Run(t, script(n, n+1)).Exit.Code)
	require.NotZero(t, b.Run(t, "mkdir /dev/shm/d").Exit.Code, "one limit for all places")
}

func (s *suite) fileLimit() {
	t := s.t
	b := s.sandbox()
	n := Spec.Limits.FileBytes
	b.Output(t, "head -c "+strconv.FormatInt(n, 10)+" /dev/zero > /tmp/f")
	require.NotZero(t, b.Run(t, "head -c "+strconv.FormatInt(n+1, 10)+" /dev/zero > /tmp/f").Exit.Code)
	require.Equal(t, strconv.FormatInt(n, 10), strings.TrimSpace(b.Output(t, "wc -c < /tmp/f")))
}

func (s *suite) openFilesLimit() {
	t := s.t
	b := s.sandbox()
	require.Equal(t, strconv.Itoa(Spec.Limits.OpenFiles)+"\n", b.Output(t, "ulimit -n"))
	require.Equal(t, strconv.Itoa(Spec.Limits.OpenFiles)+"\n", b.Output(t, "ulimit -H -n"))
}

func (s *suite) processLimit() {
	t := s.t
	b := s.sandbox()
	require.Equal(t, strconv.Itoa(Spec.Limits.Processes)+"\n", b.Output(t, "ulimit -u 2>/dev/null || bash -c 'ulimit -u'"))
	got := b.Run(t, "i=0; while [ $i -lt "+strconv.Itoa(Spec.Limits.Processes+1)+" ]; do sleep 60 & i=$((i+1)); done; echo all")
	require.NotContains(t, got.Stdout, "all", "more processes than the limit")
}
