package wire

import "io"

// Hole is a part of an answer that is too large to be held several times over:
// in the answer a mark stands for it, and what belongs there is written when
// the answer is.
type Hole struct {
	// Mark is found once in the answer as it travels. Nobody can guess it, so
	// that nothing else in the answer is taken for it.
	Mark string
	// Fill writes what belongs there, encoded as it travels.
	Fill func(w io.Writer) error
}

// holed is implemented by responses that have holes.
type holed interface{ holes() []Hole }

func (r *CallToolResponse) holes() []Hole { return r.Holes }
