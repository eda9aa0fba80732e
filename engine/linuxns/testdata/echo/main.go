// Echo talks to itself over the loopback interface, and prints what it has
// heard.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return err
	}
	said := make(chan error, 1)
	go func() { said <- say(ctx, l.Addr().String()) }()
	c, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err := io.Copy(os.Stdout, c); err != nil {
		return err
	}
	return <-said
}

func say(ctx context.Context, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", "localhost:"+port)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return err
	}
	return c.Close()
}
