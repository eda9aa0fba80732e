package guest

import (
	"io/fs"
	"math"
	"strings"
	"time"
)

// op is what a request asks for: its first byte.
type op uint8

const (
	opHello op = iota + 1
	opRun
	opLookPath
	opStat
	opList
	opRead
	opWrite
	opMkdir
	opMove
	opRemove
	opSearch
	opEdit
	opChanges
	opMetrics
	opDial
	opListen
	opAccept
	opSignal
	opResize
	opInspect
	opFetch
	opStore
	opCopy
	opChmod
	opSymlink
	opTruncate
	opWalk
	opArchive
	opExtract
	opWatch
)

const (
	argsLimit    = 1 << 16 // arguments, or environment entries, of a command
	lookLimit    = 64      // names of one LookPath
	excludeLimit = 1000    // patterns of one search
	addressLimit = 256     // bytes of an address to dial
	signalLimit  = 64      // the highest signal
	listenLimit  = 64      // listeners at once
)

func newRequest(o op) *encoder {
	e := newRecord(recordRequest)
	e.byte(byte(o))
	return e
}

// fits reports whether a request can be sent.
func (e *encoder) fits() error {
	if len(e.b)-recordHead > RequestLimit {
		return &Error{Kind: TooLarge, Message: "request is too large"}
	}
	return nil
}

// checkPath refuses what can be no path, before it costs a round trip. The
// guest does so, too.
func checkPath(paths ...string) error {
	for _, p := range paths {
		switch {
		case p == "":
			return &Error{Kind: Invalid, Message: "path is empty"}
		case strings.IndexByte(p, 0) >= 0:
			return &Error{Kind: Invalid, Message: "path contains a zero byte"}
		case len(p) > PathLimit:
			return &Error{Kind: NameTooLong, Errno: 36, Message: "path is too long"}
		}
	}
	return nil
}

func (c *Command) check() error {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return &Error{Kind: Invalid, Message: "command without a program"}
	}
	if len(c.Args) > argsLimit || len(c.Env) > argsLimit {
		return &Error{Kind: ArgsTooLong, Errno: 7, Message: "too many arguments"}
	}
	for _, s := range c.Args {
		if strings.IndexByte(s, 0) >= 0 {
			return &Error{Kind: Invalid, Message: "argument contains a zero byte"}
		}
	}
	for _, s := range c.Env {
		if strings.IndexByte(s, 0) >= 0 || strings.IndexByte(s, '=') <= 0 {
			return &Error{Kind: Invalid, Message: "environment entry is not key=value"}
		}
	}
	if c.Dir != "" {
		return checkPath(c.Dir)
	}
	return nil
}

func (c *Command) limit() int64 {
	if c.OutputLimit > 0 {
		return c.OutputLimit
	}
	return OutputLimit
}

func (e *encoder) command(c *Command) {
	e.texts(c.Args)
	e.text(c.Dir)
	e.texts(c.Env)
	e.int(int64(max(c.Timeout, 0)))
	e.int(int64(max(c.CPULimit, 0)))
	e.int(c.limit())
	e.bool(c.Stdin != nil)
	e.bool(c.Control != nil)
	e.bool(c.Started != nil)
	e.bool(c.Combined)
	e.bool(c.TTY != nil)
	if c.TTY != nil {
		e.windowSize(*c.TTY)
	}
}

func (e *encoder) windowSize(s Size) {
	e.uint(uint64(s.Rows))
	e.uint(uint64(s.Columns))
}

func (d *decoder) windowSize() Size {
	return Size{Rows: uint16(d.upTo(math.MaxUint16)), Columns: uint16(d.upTo(math.MaxUint16))}
}

// commandRequest is what of a Command is in its request.
type commandRequest struct {
	Command
	stdin   bool
	control bool
	started bool // whether the start is to be told
}

func (d *decoder) command() commandRequest {
	c := commandRequest{Command: Command{
		Args:        d.texts(argsLimit, RequestLimit),
		Dir:         d.text(PathLimit),
		Env:         d.texts(argsLimit, RequestLimit),
		Timeout:     time.Duration(d.size()),
		CPULimit:    time.Duration(d.size()),
		OutputLimit: d.size(),
	}}
	c.stdin, c.control, c.started, c.Combined = d.bool(), d.bool(), d.bool(), d.bool()
	if d.bool() {
		size := d.windowSize()
		c.TTY = &size
	}
	return c
}

func (e *encoder) exit(x *Exit) {
	e.int(int64(x.Code))
	e.int(int64(x.Signal))
	e.bool(x.TimedOut)
	e.bool(x.CPULimited)
	e.int(int64(x.Duration))
	e.int(x.StdoutDropped)
	e.int(x.StderrDropped)
	e.int(int64(x.CPU))
	e.int(x.MaxRSS)
}

// exit accepts only what a process can end with.
func (d *decoder) exit() Exit {
	x := Exit{
		Code:          int(d.size()),
		Signal:        int(d.size()),
		TimedOut:      d.bool(),
		CPULimited:    d.bool(),
		Duration:      time.Duration(d.size()),
		StdoutDropped: d.size(),
		StderrDropped: d.size(),
		CPU:           time.Duration(d.size()),
		MaxRSS:        d.size(),
	}
	if x.Code > 255 || x.Signal > signalLimit || x.Signal > 0 && x.Code != 128+x.Signal {
		d.fail()
	}
	return x
}

func (e *encoder) fileInfo(i *FileInfo) {
	e.text(i.Path)
	e.int(i.Size)
	e.uint(uint64(i.Mode))
	e.time(i.ModTime)
	e.text(i.Target)
}

func (d *decoder) fileInfo() FileInfo {
	return FileInfo{
		Path:    d.text(PathLimit),
		Size:    d.size(),
		Mode:    fs.FileMode(d.upTo(1<<32 - 1)),
		ModTime: d.time(),
		Target:  d.text(PathLimit),
	}
}

func (e *encoder) metrics(m *Metrics) {
	e.count(m.CPUCount)
	e.float(m.CPUUsed)
	for _, v := range []int64{m.MemTotal, m.MemUsed, m.DiskTotal, m.DiskUsed, m.Received, m.Sent} {
		e.int(v)
	}
	e.time(m.Time)
}

func (d *decoder) metrics() Metrics {
	m := Metrics{
		CPUCount:  d.upTo(1 << 16),
		CPUUsed:   d.float(),
		MemTotal:  d.size(),
		MemUsed:   d.size(),
		DiskTotal: d.size(),
		DiskUsed:  d.size(),
		Received:  d.size(),
		Sent:      d.size(),
		Time:      d.time(),
	}
	if m.CPUUsed < 0 {
		d.fail()
	}
	return m
}

func (e *encoder) failure(err *Error) {
	e.byte(byte(err.Kind))
	e.uint(uint64(err.Errno))
	e.text(err.Message[:min(len(err.Message), messageLimit)])
}

func (d *decoder) failure() *Error {
	kind, errno := Kind(d.byte()), d.upTo(4095)
	if kind >= kindLimit {
		kind = Other
	}
	return &Error{Kind: kind, Errno: uint32(errno), Message: d.text(messageLimit)}
}
