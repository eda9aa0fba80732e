//go:build linux

package agent

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/guest"
)

// packed is an archive of entries, all of whose files have the content "x".
func packed(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 || h.Typeflag == tar.TypeReg {
			h.Size = 1
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := io.WriteString(w, "x")
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return &b
}

func TestArchiveAndExtract(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	big := strings.Repeat("0123456789", 50_000)
	s.write(t, "t/a/big", big)
	s.write(t, "t/"+strings.Repeat("n", 255), "long")
	s.write(t, "t/ü \n", "odd")
	s.write(t, "t/skip/x", "x")
	require.NoError(t, s.Chmod(ctx, "t/a/big", 0o755))
	require.NoError(t, s.Symlink(ctx, "../../outside", "t/a/link"))
	require.NoError(t, os.Mkdir(filepath.Join(s.home, "t/ro"), 0o755))
	s.write(t, "t/ro/f", "y")
	require.NoError(t, s.Chmod(ctx, "t/ro", 0o555))
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.home, "t/fifo"), 0o644))

	var b bytes.Buffer
	made, err := s.Archive(ctx, "t", []string{"skip"}, &b)
	require.NoError(t, err)
	require.Equal(t, guest.Tally{Entries: 7, Bytes: int64(len(big)) + 4 + 3 + 1}, made)
	for range 2 { // over what is there, too
		got, err := s.Extract(ctx, "new/copy", bytes.NewReader(b.Bytes()))
		if os.Getuid() != 0 && err != nil {
			require.ErrorIs(t, err, fs.ErrPermission, "of the directory that must not be written to")
			break
		}
		require.NoError(t, err)
		require.Equal(t, made, got)
	}
	require.Equal(t, big, s.read(t, "new/copy/a/big", 0, 0))
	require.Equal(t, "odd", s.read(t, "new/copy/ü \n", 0, 0))
	for path, mode := range map[string]fs.FileMode{"a/big": 0o755, "ro": 0o555 | fs.ModeDir, "a/link": 0o777 | fs.ModeSymlink} {
		info, err := s.Stat(ctx, "new/copy/"+path, false)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode, path)
	}
	_, err = s.Stat(ctx, "new/copy/fifo", false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, s.Chmod(ctx, "t/ro", 0o755))
	require.NoError(t, s.Chmod(ctx, "new/copy/ro", 0o755))
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	s := start(t)
	outside := t.TempDir()
	long := strings.Repeat("d/", guest.PathLimit/2) + "f"
	for name, headers := range map[string][]tar.Header{
		"dots":              {{Name: "../x"}},
		"dots inside":       {{Name: "a/../../x"}},
		"absolute":          {{Name: outside + "/x"}},
		"nothing":           {{Name: ".", Typeflag: tar.TypeReg}},
		"too long":          {{Name: long}},
		"link, then file":   {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "l/x"}},
		"link, then dir":    {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "l", Typeflag: tar.TypeDir}},
		"link deep":         {{Name: "a/l", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "a/l/b/x"}},
		"hard link out":     {{Name: "h", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"hard link up":      {{Name: "h", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"}},
		"hard link unknown": {{Name: "h", Typeflag: tar.TypeLink, Linkname: "nobody"}},
		"device":            {{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		"block device":      {{Name: "d", Typeflag: tar.TypeBlock}},
		"pipe":              {{Name: "d", Typeflag: tar.TypeFifo}},
		"twice":             {{Name: "f"}, {Name: "./f"}},
	} {
		dir := "hostile/" + strings.ReplaceAll(name, " ", "-")
		_, err := s.Extract(t.Context(), dir, packed(t, headers...))
		require.Error(t, err, name)
		var e *guest.Error
		require.ErrorAs(t, err, &e, name)
	}
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoFileExists(t, filepath.Join(s.home, "x"))
	require.NoFileExists(t, filepath.Join(s.home, "hostile/x"))

	// Bits beyond permissions are not taken.
	got, err := s.Extract(t.Context(), "setuid", packed(t, tar.Header{Name: "f", Mode: 0o6755}, tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "f"}))
	require.NoError(t, err)
	require.EqualValues(t, 2, got.Entries)
	info, err := s.Stat(t.Context(), "setuid/h", false)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o755), info.Mode)

	_, err = s.Extract(t.Context(), "garbage", strings.NewReader(strings.Repeat("garbage", 1000)))
	requireKind(t, guest.Invalid, err)
	cut := packed(t, tar.Header{Name: "f"}).Bytes()[:512]
	_, err = s.Extract(t.Context(), "cut", bytes.NewReader(cut))
	requireKind(t, guest.Invalid, err)
	broken := errors.New("broken")
	_, err = s.Extract(t.Context(), "broken", io.MultiReader(bytes.NewReader(cut), iotestErr{broken}))
	require.ErrorIs(t, err, broken)
}

// A sparse file of 1 TiB in an archive of some kilobytes.
func TestSparseBomb(t *testing.T) {
	t.Parallel()
	s := start(t)
	const sparse = "1\n1099511627775\n1\n"
	pax := func(k, v string) string {
		n := len(k) + len(v) + 3
		n += len(fmt.Sprint(n + len(fmt.Sprint(n))))
		return fmt.Sprintf("%d %s=%s\n", n, k, v)
	}
	records := pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") + pax("GNU.sparse.name", "bomb") + pax("GNU.sparse.realsize", "1099511627776")
	block := func(typeflag byte, content string) []byte {
		var h bytes.Buffer
		hw := tar.NewWriter(&h)
		require.NoError(t, hw.WriteHeader(&tar.Header{Name: "bomb", Mode: 0o644, Size: int64(len(content))}))
		head := h.Bytes()
		head[156] = typeflag
		copy(head[148:156], "        ")
		sum := 0
		for _, c := range head {
			sum += int(c)
		}
		copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
		padded := content + strings.Repeat("\x00", (512-len(content)%512)%512)
		return append(head, padded...)
	}
	archive := append(block('x', records), block('0', sparse+strings.Repeat("\x00", 512-len(sparse))+"x")...)
	archive = append(archive, make([]byte, 1024)...)
	h, err := tar.NewReader(bytes.NewReader(archive)).Next()
	require.NoError(t, err)
	require.EqualValues(t, 1<<40, h.Size, "it is one")
	_, err = s.Extract(t.Context(), "d", bytes.NewReader(archive))
	requireKind(t, guest.Invalid, err)
	require.ErrorContains(t, err, "sparse")
}

func TestArchiveLimit(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	t.Parallel()
	s := start(t)
	_, err := s.Extract(t.Context(), "many", endlessArchive(t, guest.ArchiveLimit))
	require.NoError(t, err)
	_, err = s.Extract(t.Context(), "many", endlessArchive(t, guest.ArchiveLimit+1))
	requireKind(t, guest.TooLarge, err)
}

// endlessArchive has n entries, all of the same directory.
func endlessArchive(t *testing.T, n int) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for range n {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755}))
	}
	require.NoError(t, w.Close())
	return &b
}
