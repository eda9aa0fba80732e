package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// childEnv is set in processes that run this test binary as something else: one
// of children.
const childEnv = "STORE_TEST_CHILD"

// children are what such processes do with a directory, their last argument.
var children = map[string]func(dir string) error{
	"writer": writeForever,
	"full":   fillDisk,
}

// child returns a process that does one of children with a directory.
func child(ctx context.Context, name, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], dir)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

func TestMain(m *testing.M) {
	run := children[os.Getenv(childEnv)]
	if run == nil {
		goleak.VerifyTestMain(m)
		return
	}
	if err := run(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
