package main

import (
	"bytes"
	"errors"
	"strings"
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
	require.Contains(t, out.String(), "record: ")
	require.Contains(t, out.String(), "deleted")
	if !strings.Contains(out.String(), "memory is not limited on this machine") {
		require.Contains(t, out.String(), "killed for it true")
		require.Contains(t, out.String(), "still here")
	}
}
