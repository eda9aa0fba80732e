package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/agb-go/sdk/engine"
)

// limitsFlag is an option that sets limits by their names: "memory=256M,processes=64".
// Given again it adds to what it had.
type limitsFlag struct{ limits *engine.Limits }

// String implements [flag.Value].
func (limitsFlag) String() string { return "" }

// Set implements [flag.Value].
func (f limitsFlag) Set(text string) error {
	for _, part := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=VALUE", part)
		}
		n, err := quantity(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := f.set(name, n); err != nil {
			return err
		}
	}
	return nil
}

func (f limitsFlag) set(name string, n int64) error {
	switch l := f.limits; name {
	case "memory":
		l.MemoryBytes = n
	case "milli-cpu":
		return whole(&l.MilliCPU, name, n)
	case "processes":
		return whole(&l.Processes, name, n)
	case "open-files":
		return whole(&l.OpenFiles, name, n)
	case "file":
		l.FileBytes = n
	case "data":
		l.DataBytes = n
	case "disk":
		l.DiskBytes = n
	case "inodes":
		l.DiskInodes = n
	default:
		return fmt.Errorf("there is no limit %q", name)
	}
	return nil
}

// whole sets an int.
func whole(to *int, name string, n int64) error {
	if n > math.MaxInt32 {
		return fmt.Errorf("%s: %d is too large", name, n)
	}
	*to = int(n)
	return nil
}

// quantity reads a positive number, perhaps with K, M or G for as many KiB, MiB
// or GiB.
func quantity(text string) (int64, error) {
	unit := int64(1)
	if i := strings.IndexAny(text, "KMG"); i >= 0 && i == len(text)-1 {
		unit = 1 << (10 * (1 + strings.IndexByte("KMG", text[i])))
		text = text[:i]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not a positive number, perhaps with K, M or G after it", text)
	}
	return n * unit, nil
}

// showQuantity is the inverse of quantity.
func showQuantity(n int64) string {
	unit := -1
	for ; n > 0 && n%1024 == 0 && unit < 2; unit++ {
		n /= 1024
	}
	if unit < 0 {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10) + "KMG"[unit:unit+1]
}

// quantityFlag is an option that is a quantity.
type quantityFlag struct{ n *int64 }

// String implements [flag.Value].
func (quantityFlag) String() string { return "" }

// Set implements [flag.Value].
func (f quantityFlag) Set(text string) (err error) {
	*f.n, err = quantity(text)
	return err
}

// poolFlag is an option that says how many sandboxes of an image are kept
// ready: "host=4". Without an image it is "host".
type poolFlag struct{ pool map[string]int }

// String implements [flag.Value].
func (poolFlag) String() string { return "" }

// Set implements [flag.Value].
func (f poolFlag) Set(text string) error {
	image, number, ok := strings.Cut(text, "=")
	if !ok {
		image, number = "host", text
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || image == "" {
		return fmt.Errorf("%q is not a number, or IMAGE=NUMBER", text)
	}
	f.pool[image] = n
	return nil
}

// listFlag is an option that names things: "python,bash".
type listFlag struct{ names *[]string }

// String implements [flag.Value].
func (listFlag) String() string { return "" }

// Set implements [flag.Value].
func (f listFlag) Set(text string) error {
	*f.names = append(*f.names, strings.Split(text, ",")...)
	return nil
}

// requireFlag is an option that names layers: "seccomp,memory limit". "none"
// requires none.
type requireFlag struct{ names *[]string }

// String implements [flag.Value].
func (requireFlag) String() string { return "" }

// Set implements [flag.Value].
func (f requireFlag) Set(text string) error {
	if *f.names == nil {
		*f.names = []string{}
	}
	if text == "none" {
		return nil
	}
	for _, name := range strings.Split(text, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return errors.New("a layer has no name")
		}
		*f.names = append(*f.names, name)
	}
	return nil
}
