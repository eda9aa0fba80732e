//go:build linux && (amd64 || arm64)

package seccomp

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// maxInstructions is BPF_MAXINSNS, the kernel's limit.
const maxInstructions = 4096

// compile returns the program that decides as r does. It uses only what the
// kernel can follow when it looks for calls that are allowed whatever their
// arguments are (seccomp_is_const_allow in kernel/seccomp.c, since Linux 5.11):
// for these it does not run the program at all.
func compile(r rule) ([]bpf.Instruction, error) {
	var a assembler
	start, err := r.compile(&a)
	if err != nil {
		return nil, err
	}
	a.goOn(start)
	if n := len(a.backwards); n > maxInstructions {
		return nil, fmt.Errorf("seccomp: %d instructions, the kernel takes %d", n, maxInstructions)
	}
	return a.program(), nil
}

func (v verdict) compile(a *assembler) (position, error) { return a.ret(v), nil }

// compile writes a choice once, however many rules lead to it.
func (c *choice) compile(a *assembler) (position, error) {
	if p, ok := a.done[c]; ok {
		return p, nil
	}
	spans, err := c.partition()
	if err != nil {
		return 0, err
	}
	p, err := a.search(spans)
	if err != nil {
		return 0, err
	}
	if len(spans) > 1 {
		a.goOn(p)
		if c.mask != 0 {
			a.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.mask})
		}
		p = a.add(bpf.LoadAbsolute{Off: uint32(c.on), Size: wordSize})
	}
	if a.done == nil {
		a.done = map[*choice]position{}
	}
	a.done[c] = p
	return p, nil
}

// search writes a binary search for the span that has the accumulator's value.
func (a *assembler) search(spans []span) (position, error) {
	switch n := len(spans); {
	case n == 1:
		return spans[0].then.compile(a)
	case n == 3 && spans[0].then == spans[2].then && spans[1].first == spans[1].last:
		return a.either(bpf.JumpEqual, spans[1].first, spans[1:2], spans[:1])
	default:
		return a.either(bpf.JumpGreaterOrEqual, spans[n/2].first, spans[n/2:], spans[:n/2])
	}
}

// either writes a test and what follows when it holds and when it does not.
func (a *assembler) either(test bpf.JumpTest, value uint32, holds, fails []span) (position, error) {
	no, err := a.search(fails)
	if err != nil {
		return 0, err
	}
	yes, err := a.search(holds)
	if err != nil {
		return 0, err
	}
	return a.branch(test, value, yes, no), nil
}
