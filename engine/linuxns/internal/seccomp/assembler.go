//go:build linux && (amd64 || arm64)

package seccomp

import (
	"slices"

	"golang.org/x/net/bpf"
)

// An assembler writes a program from its end to its start. Jumps of classic
// BPF lead forward only, so whatever a jump leads to is already there when the
// jump is written, and how far it is is known. The zero assembler is ready.
type assembler struct {
	backwards []bpf.Instruction
	returns   map[verdict]position // the latest of each
	done      map[*choice]position // where each starts
}

// A position is that of an instruction, counted from the end.
type position int

// longest is how many instructions a conditional jump can pass over.
const longest = 255

// add writes an instruction before all others.
func (a *assembler) add(i bpf.Instruction) position {
	a.backwards = append(a.backwards, i)
	return position(len(a.backwards) - 1)
}

// skip is how many instructions an instruction that is added next, after others
// that are added before it, has to pass over to get to p.
func (a *assembler) skip(p position, others int) int {
	return len(a.backwards) + others - int(p) - 1
}

// ret returns a verdict: by a return that is there, if a jump can reach it.
func (a *assembler) ret(v verdict) position {
	if p, ok := a.returns[v]; ok && a.skip(p, 1) <= longest {
		return p
	}
	if a.returns == nil {
		a.returns = map[verdict]position{}
	}
	a.returns[v] = a.add(bpf.RetConstant{Val: uint32(v)})
	return a.returns[v]
}

// near returns a position within reach that leads to p, also after one more
// instruction is added.
func (a *assembler) near(p position) position {
	if a.skip(p, 1) <= longest {
		return p
	}
	if r, ok := a.backwards[p].(bpf.RetConstant); ok {
		return a.ret(verdict(r.Val))
	}
	return a.jump(p)
}

func (a *assembler) jump(p position) position { return a.add(bpf.Jump{Skip: uint32(a.skip(p, 0))}) }

// goOn has p follow whatever is added next.
func (a *assembler) goOn(p position) {
	if a.skip(p, 0) > 0 {
		a.jump(p)
	}
}

// branch goes to yes when the accumulator compares so with value, else to no.
func (a *assembler) branch(test bpf.JumpTest, value uint32, yes, no position) position {
	yes = a.near(yes)
	no = a.near(no)
	return a.add(bpf.JumpIf{
		Cond: test, Val: value, SkipTrue: uint8(a.skip(yes, 0)), SkipFalse: uint8(a.skip(no, 0)),
	})
}

// program returns what was written, in the order of execution.
func (a *assembler) program() []bpf.Instruction {
	p := slices.Clone(a.backwards)
	slices.Reverse(p)
	return p
}
