package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long an answer may take. What is not reachable says so at
// once.
const patience = 500 * time.Millisecond

// connect connects: pairs of network and address. It prints what it is sent.
func connect(args []string) {
	for i := 0; i+1 < len(args); i += 2 {
		start := time.Now()
		c, err := net.DialTimeout(args[i], args[i+1], patience)
		if took := time.Since(start); took >= patience {
			won("%s hangs for %v", args[i+1], took)
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		won("connected to %s", args[i+1])
		_ = c.SetDeadline(time.Now().Add(patience))
		text, _ := io.ReadAll(c) // whatever comes
		fmt.Printf("%s\n", text)
		_ = c.Close()
	}
}

// send sends one packet of every kind to each address.
func send(addrs []string) {
	for _, addr := range addrs {
		ip := net.ParseIP(addr)
		if c, err := net.Dial("udp", net.JoinHostPort(addr, "53")); err == nil {
			if _, err := c.Write([]byte("x")); err == nil {
				won("udp to %s", addr)
			}
			_ = c.Close()
		}
		family, protocol, raw := unix.AF_INET, unix.IPPROTO_ICMP, unix.IPPROTO_RAW
		var to unix.Sockaddr
		if v4 := ip.To4(); v4 != nil {
			to = &unix.SockaddrInet4{Addr: [4]byte(v4)}
		} else {
			family, protocol, raw = unix.AF_INET6, unix.IPPROTO_ICMPV6, unix.IPPROTO_ICMPV6
			to = &unix.SockaddrInet6{Addr: [16]byte(ip)}
		}
		echo := []byte{8, 0, 0xf7, 0xfe, 0, 1, 0, 0}
		if family == unix.AF_INET6 {
			echo[0] = 128
		}
		if fd, err := unix.Socket(family, unix.SOCK_DGRAM, protocol); err == nil {
			if err := unix.Sendto(fd, echo, 0, to); err == nil {
				won("icmp to %s", addr)
			} else {
				fmt.Println("icmp:", err)
			}
		}
		if fd, err := unix.Socket(family, unix.SOCK_RAW, raw); err == nil {
			won("raw socket %d", fd)
		}
	}
}

// ask asks resolvers something and prints the answer.
func ask(addrs []string) {
	for _, addr := range addrs {
		c, err := net.DialTimeout("udp", net.JoinHostPort(addr, "53"), patience)
		if err != nil {
			fmt.Println(err)
			continue
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write([]byte("x")) // an answer is what counts
		buf := make([]byte, 512)
		if n, err := c.Read(buf); err == nil {
			won("%s answers %q", addr, buf[:n])
		}
		_ = c.Close()
	}
}

// listen listens at an address and port, and answers everybody.
func listen(args []string) {
	l, err := net.Listen("tcp", net.JoinHostPort(args[0], args[1]))
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = fmt.Fprintln(c, "hello") // whoever it is
		_ = c.Close()
	}
}
