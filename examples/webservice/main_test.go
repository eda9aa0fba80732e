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
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("the example runs Python: %v", err)
	}
	var out bytes.Buffer
	err := run(t.Context(), &out, "")
	if errors.Is(err, agb.ErrIsolationUnavailable) || errors.Is(err, agb.ErrUnsupported) {
		t.Skipf("no sandboxes on this machine: %v", err)
	}
	require.NoError(t, err)
	for _, want := range []string{"the answer is 42", "FileNotFoundError", "took longer than"} {
		require.Contains(t, out.String(), want)
	}
}
