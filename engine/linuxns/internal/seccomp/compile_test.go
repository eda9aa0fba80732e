//go:build linux && (amd64 || arm64)

package seccomp

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// FuzzCompile makes rules out of bytes and compares what their programs decide
// with the rules.
func FuzzCompile(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add(slices.Repeat([]byte{0xff}, 400))
	f.Add(slices.Repeat([]byte{0x03, 0x81, 0xfe, 0x40, 0x07}, 200))
	f.Add(slices.Repeat([]byte{0x11, 0xf1, 0x02, 0x9c, 0x55, 0xe3, 0x28}, 600))
	f.Fuzz(func(t *testing.T, seed []byte) {
		g := &grower{seed: seed, interesting: []uint32{0, math.MaxUint32}}
		r := g.rule(maxDepth)
		program, err := compile(r)
		if err != nil {
			tooLarge := g.spans > maxInstructions/10
			require.True(t, tooLarge || !sound(r, map[*choice]bool{}), "%v", err)
			return
		}
		m := newMachine(t, program)
		for i := range 100 {
			c := g.call(i)
			require.Equal(t, decide(r, c), m.decide(t, c), "%#x", c)
		}
	})
}

// decide follows a rule.
func decide(r rule, c call) verdict {
	for {
		at, ok := r.(*choice)
		if !ok {
			return r.(verdict)
		}
		value := c[at.on/wordSize]
		if at.mask != 0 {
			value &= at.mask
		}
		r = at.otherwise
		for _, s := range at.cases {
			if s.first <= value && value <= s.last {
				r = s.then
			}
		}
	}
}

// sound tells whether the spans of every choice are apart from each other.
func sound(r rule, seen map[*choice]bool) bool {
	c, ok := r.(*choice)
	if !ok || seen[c] {
		return true
	}
	seen[c] = true
	for i, s := range c.cases {
		if s.first > s.last || !sound(s.then, seen) {
			return false
		}
		for _, other := range c.cases[:i] {
			if s.first <= other.last && other.first <= s.last {
				return false
			}
		}
	}
	return sound(c.otherwise, seen)
}

const (
	maxDepth = 4
	maxSpans = 40 // of one choice
)

// A grower makes rules, and calls that suit them, out of bytes. When it has
// used them up it goes on with zeros.
type grower struct {
	seed        []byte
	spans       int
	interesting []uint32
	choices     []*choice
}

func (g *grower) byte() byte {
	if len(g.seed) == 0 {
		return 0
	}
	b := g.seed[0]
	g.seed = g.seed[1:]
	return b
}

// value is mostly small, so that spans meet, and else anything.
func (g *grower) value() uint32 {
	v := uint32(g.byte())
	if v >= 0xe0 {
		v = v<<24 | uint32(g.byte())<<16 | uint32(g.byte())<<8 | uint32(g.byte())
	}
	return v
}

func (g *grower) rule(depth int) rule {
	kind := g.byte()
	switch {
	case depth == 0 || kind%4 == 0:
		return refuse(0) | verdict(g.byte()%8)
	case kind%4 == 1 && len(g.choices) > 0:
		return g.choices[int(g.byte())%len(g.choices)]
	}
	c := &choice{on: word(g.byte()) % (dataSize / wordSize) * wordSize}
	if kind&0x80 != 0 {
		c.mask = g.value()
	}
	next := uint64(0)
	for range g.byte() % maxSpans {
		first := next + uint64(g.byte()%8)
		last := first + uint64(g.byte()%4)
		switch g.byte() % 64 {
		case 1: // as far as it goes
			last = math.MaxUint32
		case 2: // on top of others, or inside out
			first, last = uint64(g.value()), uint64(g.value())
		case 3: // far away
			first += 1 << 30
			last = first
		}
		if max(first, last) > math.MaxUint32 {
			break
		}
		g.spans++
		c.cases = append(c.cases, span{uint32(first), uint32(last), g.rule(depth - 1)})
		g.interesting = append(g.interesting, uint32(first)-1, uint32(first), uint32(last), uint32(last)+1)
		next = last + 1
	}
	c.otherwise = g.rule(depth - 1)
	g.choices = append(g.choices, c)
	return c
}

// call returns one of many calls of values at the edges of spans.
func (g *grower) call(nr int) call {
	var c call
	for i := range c {
		c[i] = g.interesting[(nr*31+i*(nr+7))%len(g.interesting)]
	}
	return c
}

// TestFarJumps compiles choices so large that conditional jumps do not reach.
func TestFarJumps(t *testing.T) {
	shared := &choice{on: low(5), cases: each(pretend, 7), otherwise: kill}
	c := &choice{on: number, otherwise: allow}
	for i := range uint32(600) {
		c.cases = append(c.cases, span{3 * i, 3 * i, refuse(unix.Errno(i))})
	}
	c.cases = append(c.cases, span{1, 1, shared}, span{5000, 5000, shared})
	program, err := compile(c)
	require.NoError(t, err)
	t.Logf("%d instructions", len(program))
	m := newMachine(t, program)
	for nr := range uint32(6000) {
		for _, last := range []uint64{0, 7} {
			data := native(nr, 0, 0, 0, 0, 0, last)
			require.Equal(t, decide(c, data), m.decide(t, data), "%d", nr)
		}
	}
}

func TestCompileLimits(t *testing.T) {
	large := func(n uint32) rule {
		c := &choice{on: number, otherwise: allow}
		for i := range n {
			c.cases = append(c.cases, span{2 * i, 2 * i, refuse(unix.Errno(i))})
		}
		return c
	}
	most := uint32(0)
	for n := uint32(1000); ; n++ {
		program, err := compile(large(n))
		if err != nil {
			break
		}
		require.LessOrEqual(t, len(program), maxInstructions)
		most = n
	}
	require.Greater(t, most, uint32(1000))
	_, err := compile(large(2 * most))
	require.Error(t, err)
	for _, cases := range [][]span{
		{{2, 1, allow}},
		{{1, 5, allow}, {5, 6, kill}},
		{{5, 6, kill}, {1, 5, kill}},
		{{0, math.MaxUint32, allow}, {math.MaxUint32, math.MaxUint32, allow}},
	} {
		_, err := compile(&choice{cases: cases, otherwise: kill})
		require.Error(t, err)
		_, err = compile(&choice{otherwise: &choice{cases: cases, otherwise: kill}})
		require.Error(t, err)
	}
}

func TestTrivialRules(t *testing.T) {
	for _, r := range []rule{
		allow, &choice{otherwise: kill}, &choice{cases: []span{{0, math.MaxUint32, allow}}, otherwise: kill},
	} {
		program, err := compile(r)
		require.NoError(t, err)
		require.Len(t, program, 1)
		require.Equal(t, decide(r, call{}), newMachine(t, program).decide(t, call{}))
	}
}
