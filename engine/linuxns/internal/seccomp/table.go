//go:build linux && (amd64 || arm64)

package seccomp

import "slices"

// A group is some system calls that are treated alike, and why.
type group struct {
	why   string
	calls []uint32
}

// An examined call is one whose arguments decide.
type examined struct {
	call uint32
	rule rule
}

// byABI admits one way of making system calls.
//
// Other ABIs end the process: int 0x80 and 32-bit programs on amd64, 32-bit
// programs on arm64, and on amd64 x32 calls, whose numbers have a high bit set.
// Their calls have other numbers and other arguments, so nothing here holds for
// them, and no 64-bit program makes them by mistake. An error instead of the
// end would not do: a 32-bit program would run on with every call failing, in
// the worst case in a loop around an exit that never works.
func byABI() rule {
	return &choice{on: abi, cases: each(byNumber(), nativeABI), otherwise: kill}
}

// byNumber is the tables as one choice. Numbers that they do not have are not
// known here: gaps, and what is newer than [newest].
func byNumber() *choice {
	c := &choice{on: number, cases: slices.Clone(otherABIs), otherwise: absent}
	for _, t := range []struct {
		then   rule
		groups []group
	}{
		{allow, allowed}, {allow, allowedHere},
		{forbidden, refused}, {forbidden, refusedHere},
		{absent, missing}, {absent, missingHere},
		{pretend, pretended},
	} {
		for _, g := range t.groups {
			c.cases = append(c.cases, each(t.then, g.calls...)...)
		}
	}
	for _, e := range slices.Concat(byArguments, byArgumentsHere) {
		c.cases = append(c.cases, span{e.call, e.call, e.rule})
	}
	return c
}
