package main

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/agb/agbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCountWords(t *testing.T) {
	for text, want := range map[string]int{
		"":                           0,
		"one":                        1,
		"two words":                  2,
		"$(echo not a command) 'q'":  5,
		strings.Repeat("many ", 999): 999,
	} {
		t.Run(text[:min(len(text), 10)], func(t *testing.T) {
			t.Parallel() // each has its own session
			s := agbtest.NewSession(t)
			n, err := countWords(t.Context(), s, text)
			require.NoError(t, err)
			require.Equal(t, want, n)
		})
	}
}

func TestNothingIsLeftFromOtherTests(t *testing.T) {
	s := agbtest.NewSession(t)
	_, err := s.FileSystem.Stat(t.Context(), "text", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
