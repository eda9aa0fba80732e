package guest

import (
	"encoding/binary"
	"math"
	"time"
)

// encoder builds the fields of a record: numbers as varints, text with its
// length before it.
type encoder struct{ b []byte }

func (e *encoder) byte(v byte)      { e.b = append(e.b, v) }
func (e *encoder) uint(v uint64)    { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)      { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) count(n int)      { e.uint(uint64(n)) }
func (e *encoder) text(s string)    { e.count(len(s)); e.b = append(e.b, s...) }
func (e *encoder) float(v float64)  { e.uint(math.Float64bits(v)) }
func (e *encoder) time(t time.Time) { e.int(t.Unix()); e.uint(uint64(t.Nanosecond())) }

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) texts(list []string) {
	e.count(len(list))
	for _, s := range list {
		e.text(s)
	}
}

// decoder takes the fields of a record apart. After the first that is wrong
// everything is zero, and done says so.
type decoder struct {
	b   []byte
	bad bool
}

// done reports whether all fields were right and none is left.
func (d *decoder) done() bool { return !d.bad && len(d.b) == 0 }

func (d *decoder) fail() { d.bad, d.b = true, nil }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// size is an int that is not negative.
func (d *decoder) size() int64 {
	v := d.int()
	if v < 0 {
		d.fail()
		return 0
	}
	return v
}

// upTo is a uint of at most limit.
func (d *decoder) upTo(limit int) int {
	v := d.uint()
	if v > uint64(limit) {
		d.fail()
		return 0
	}
	return int(v)
}

// text is at most limit bytes long.
func (d *decoder) text(limit int) string {
	n := d.upTo(limit)
	if n > len(d.b) {
		d.fail()
	}
	if d.bad {
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// texts are at most count texts of at most limit bytes each. No more is
// allocated than the record is long.
func (d *decoder) texts(count, limit int) []string {
	n := d.upTo(min(count, len(d.b)))
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.text(limit))
	}
	if d.bad {
		return nil
	}
	return list
}

func (d *decoder) float() float64 {
	v := math.Float64frombits(d.uint())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.fail()
		return 0
	}
	return v
}

// time is a moment of the years 0 to 9999, so that it has a text form.
func (d *decoder) time() time.Time {
	const first, last = -62167219200, 253402300799
	seconds, nanos := d.int(), d.upTo(999_999_999)
	if d.bad {
		return time.Time{}
	}
	return time.Unix(min(max(seconds, first), last), int64(nanos))
}
