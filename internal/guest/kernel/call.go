package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// call has a function called. r is nil between runs: what an earlier run has
// left behind may call, too.
func (in *interpreter) call(r *running, body []byte) error {
	var req struct {
		ID   int64           `json:"id"`
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	}
	if err := decode(body, &req); err != nil {
		return errFrame
	}
	if r == nil || r.opts.Call == nil {
		in.returned(req.ID, nil, errors.New("there are no functions to call"))
		return nil
	}
	if !in.slot() {
		in.returned(req.ID, nil, fmt.Errorf("%d calls are under way, more are not allowed", callsAtOnce))
		return nil
	}
	go func() {
		value, err := r.opts.Call(req.Name, req.Args)
		<-in.calls // first: the driver may call again as soon as it knows
		in.returned(req.ID, value, err)
	}()
	return nil
}

// returned has the driver told what a call came to.
func (in *interpreter) returned(id int64, value json.RawMessage, err error) {
	type answer struct {
		ID    int64           `json:"id"`
		Value json.RawMessage `json:"value,omitempty"`
		Error string          `json:"error,omitempty"`
	}
	b, bad := json.Marshal(answer{ID: id, Value: value})
	if err == nil {
		err = bad
	}
	if err == nil && len(b) > callLimit {
		err = fmt.Errorf("the function returned more than %d bytes", callLimit)
	}
	if err != nil {
		b, _ = json.Marshal(answer{ID: id, Error: clip(err.Error())}) // text always encodes
	}
	in.answer("return", b)
}

// slot takes a slot of a call, and reports whether there was one.
func (in *interpreter) slot() bool {
	in.mu.Lock()
	full := in.answersSize >= answersBytes
	in.mu.Unlock()
	if full {
		return false
	}
	select {
	case in.calls <- struct{}{}:
		return true
	default:
		return false
	}
}

// behind reports whether the driver leaves more unread than it may.
func (in *interpreter) behind() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.answers) >= answersLimit
}

// answer has the driver told a frame, after those before, and does not wait.
func (in *interpreter) answer(kind string, b []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f := frame(kind, b)
	in.answers = append(in.answers, f)
	in.answersSize += len(f)
	if !in.answering {
		in.answering = true
		go in.tellAnswers()
	}
}

// tellAnswers tells the driver all answers.
func (in *interpreter) tellAnswers() {
	for {
		in.mu.Lock()
		if len(in.answers) == 0 {
			in.answers, in.answering = nil, false
			in.mu.Unlock()
			return
		}
		f := in.answers[0]
		in.answers[0], in.answers = nil, in.answers[1:]
		in.answersSize -= len(f)
		in.mu.Unlock()
		_, _ = in.feed.Write(f) // it fails when the interpreter is over
	}
}

// tell tells the driver a frame.
func (in *interpreter) tell(kind string, b []byte) {
	_, _ = in.feed.Write(frame(kind, b)) // it fails when the interpreter is over
}

// frame is a line and b.
func frame(kind string, b []byte) []byte {
	return append(fmt.Appendf(nil, "%s %d\n", kind, len(b)), b...)
}

// heard waits until the driver, which says that a run is over, has read what it
// was told of it. One that does not is killed: nobody would end what is told.
func (in *interpreter) heard(told <-chan struct{}) {
	timer := time.NewTimer(interruptGrace)
	defer timer.Stop()
	select {
	case <-told:
	case <-in.done:
	case <-timer.C:
		in.kill(errFrame)
		<-in.done
	}
}
