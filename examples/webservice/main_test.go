package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
)

func TestRun(t *testing.T) {
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
