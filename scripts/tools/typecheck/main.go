// Command typecheck checks that the packages of the module in the current
// directory, and their tests, are good Go on other systems: those that its
// arguments name, such as windows/amd64. It reads all that they import from
// source, which takes seconds a system; to compile it takes minutes.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: typecheck GOOS/GOARCH...")
		os.Exit(2)
	}
	failed := false
	for _, system := range os.Args[1:] {
		if err := check(system); err != nil {
			fmt.Fprintf(os.Stderr, "typecheck: %s: %v\n", system, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check prints every error of the packages on a system.
func check(system string) error {
	goos, goarch, ok := strings.Cut(system, "/")
	if !ok {
		return errors.New("want GOOS/GOARCH")
	}
	list, err := packages.Load(&packages.Config{
		Mode:  packages.LoadAllSyntax,
		Tests: true,
		Env:   append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch),
	}, "./...")
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return errors.New("no packages")
	}
	if n := packages.PrintErrors(list); n > 0 {
		return fmt.Errorf("%d errors", n)
	}
	return nil
}
