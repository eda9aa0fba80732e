package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/agb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), &out)
	if errors.Is(err, agb.ErrIsolationUnavailable) || errors.Is(err, agb.ErrUnsupported) {
		t.Skipf("no sandboxes on this machine: %v", err)
	}
	require.NoError(t, err)
	for _, want := range []string{"uploaded 3 entries", "numbers from ", "somebody else has changed it", "downloaded 3 entries"} {
		require.Contains(t, out.String(), want)
	}
}
