package main

import (
	"bytes"
	"errors"
	"os/exec"
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
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	for _, want := range []string{
		"RuntimeError: no customer", `called orders{"customer":"ada"}`, "Out [2] 3", "TimeoutError", "Out [4] [('engine', 120), ('cards', 16)]",
	} {
		require.Contains(t, out.String(), want)
	}
}
