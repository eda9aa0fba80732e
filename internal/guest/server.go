package guest

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// quietTime is how long there must be no calls until it is quiet.
const quietTime = time.Second

// Serve answers what the engine asks for over conn, which it owns, with h. It
// returns why the conversation is over, once it is: calls may still be under
// way then, with their contexts ended. Each time there were calls and then
// none for a second it calls quiet, which may be nil, to clean up.
func Serve(conn io.ReadWriteCloser, h Handler, quiet func()) error {
	var calls activity
	if quiet != nil {
		calls.timer = time.AfterFunc(quietTime, quiet)
		defer calls.timer.Stop()
	}
	var open listeners
	session := mux.Acceptor(conn, func(st *mux.Stream) {
		calls.begin()
		go func() {
			defer calls.end()
			serve(st, h, &open)
		}()
	})
	<-session.Done()
	return session.Err()
}

// activity counts calls.
type activity struct {
	mu    sync.Mutex
	count int
	timer *time.Timer // runs while there are none; may be nil
}

func (a *activity) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count++; a.timer != nil {
		a.timer.Stop()
	}
}

func (a *activity) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count--; a.count == 0 && a.timer != nil {
		a.timer.Reset(quietTime)
	}
}

// served is one call at the guest's end.
type served struct {
	handler   Handler
	listeners *listeners
	stream    *recordWriter
	request   recordReader
	result    *encoder
}

func serve(st *mux.Stream, h Handler, open *listeners) {
	defer func() { _ = st.Close() }() // returns nil
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st.OnInterrupt(cancel)

	c := &served{
		handler: h, listeners: open,
		stream: &recordWriter{Stream: st}, request: recordReader{r: st}, result: newRecord(recordResult),
	}
	kind, p, err := c.request.next(RequestLimit)
	switch {
	case errors.Is(err, mux.ErrReset):
		err = errGivenUp // before it was asked for: nothing was done
	case err != nil:
	case kind == recordRequest:
		err = c.dispatch(ctx, &decoder{b: p})
	default:
		err = errRequest
	}
	switch {
	case errors.Is(err, errAnswered):
		return
	case err != nil:
		c.result = newRecord(recordError)
		c.result.failure(asError(err))
	}
	_, _ = st.WriteLast(c.result.sealed()) // it fails when nobody wants to know
}

var (
	errRequest = &Error{Kind: Invalid, Message: "malformed request"}
	errGivenUp = &Error{Message: "call was given up"}
	// errAnswered means that the answer was sent already.
	errAnswered = errors.New("guest: answered")
)

// dispatch does what a request asks for and leaves the result in c.result.
func (c *served) dispatch(ctx context.Context, d *decoder) error {
	o := op(d.byte())
	switch o {
	case opHello:
		return c.hello(ctx, d)
	case opRun:
		return c.run(ctx, d)
	case opLookPath:
		return c.lookPath(ctx, d)
	case opStat:
		return c.stat(ctx, d)
	case opList:
		return c.list(ctx, d)
	case opRead:
		return c.read(ctx, d)
	case opWrite:
		return c.write(ctx, d)
	case opMkdir:
		return c.mkdir(ctx, d)
	case opMove:
		return c.move(ctx, d)
	case opRemove:
		return c.remove(ctx, d)
	case opSearch:
		return c.search(ctx, d)
	case opEdit:
		return c.edit(ctx, d)
	case opChanges:
		return c.changes(ctx, d)
	case opMetrics:
		return c.metrics(ctx, d)
	case opDial:
		return c.dial(ctx, d)
	case opListen:
		return c.listen(ctx, d)
	case opAccept:
		return c.accept(ctx, d)
	case opSignal:
		return c.signal(ctx, d)
	case opResize:
		return c.resize(ctx, d)
	}
	return c.dispatchFiles(ctx, o, d)
}

// dispatchFiles is dispatch for the calls on contents and trees.
func (c *served) dispatchFiles(ctx context.Context, o op, d *decoder) error {
	switch o {
	case opInspect:
		return c.inspect(ctx, d)
	case opFetch:
		return c.fetch(ctx, d)
	case opStore:
		return c.store(ctx, d)
	case opCopy:
		return c.copy(ctx, d)
	case opChmod:
		return c.chmod(ctx, d)
	case opSymlink:
		return c.symlink(ctx, d)
	case opTruncate:
		return c.truncate(ctx, d)
	case opWalk:
		return c.walk(ctx, d)
	case opArchive:
		return c.archive(ctx, d)
	case opExtract:
		return c.extract(ctx, d)
	case opWatch:
		return c.watch(ctx, d)
	}
	return &Error{Kind: Unsupported, Message: "unknown request"}
}

// complete returns an error unless all of a request was understood.
func (d *decoder) complete() error {
	if !d.done() {
		return errRequest
	}
	return nil
}

// entriesWriter sends a list in records.
type entriesWriter struct {
	to   *recordWriter
	e    encoder
	sent int
}

// flush sends what was collected when more is as long as a frame.
func (w *entriesWriter) flush(more int) error {
	if len(w.e.b) == 0 || len(w.e.b)+more <= recordLimit {
		return nil
	}
	if w.sent += recordHead + len(w.e.b); w.sent > answerLimit {
		return &Error{Kind: TooLarge, Message: "list is too long"}
	}
	err := w.to.record(recordEntries, w.e.b)
	w.e.b = w.e.b[:0]
	return err
}

// add sends an entry, which encode appends.
func (w *entriesWriter) add(encode func(*encoder)) error {
	before := len(w.e.b)
	encode(&w.e)
	if len(w.e.b) <= recordLimit {
		return nil
	}
	entry := append([]byte(nil), w.e.b[before:]...)
	w.e.b = w.e.b[:before]
	if err := w.flush(len(entry)); err != nil {
		return err
	}
	w.e.b = append(w.e.b, entry...)
	return nil
}

// end sends what is left.
func (w *entriesWriter) end() error { return w.flush(recordLimit) }
