package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

const (
	// socketChunk is how many bytes of output a message has, at most. Encoded
	// they are six times as many, at worst.
	socketChunk = 32 << 10
	// socketErrorText is how many bytes of an error's text are sent.
	socketErrorText = 64 << 10
	// socketLate is how many bytes of each late output are sent, so that with
	// the error they fit into a message, encoded.
	socketLate = 32 << 10
)

// stream runs code and sends what comes of it; queued is as in [kernel.Options].
// It returns what is to be sent last.
func (s *socket) stream(ctx context.Context, ws *Workspace, id string, args wire.RunCodeArgs, queued func()) (any, error) {
	language, opts, err := codeOptions(args)
	if err != nil {
		return nil, err
	}
	stdout, stderr := &chunks{to: s, id: id, event: wire.EventStdout}, &chunks{to: s, id: id, event: wire.EventStderr}
	opts.Stdout, opts.Stderr, opts.Ordered, opts.Queued = stdout, stderr, true, queued
	opts.Item = func(item kernel.Item) error { return s.sendItem(id, codeItem(item)) }
	ctx, sent := answering(ctx)
	defer sent()
	r, err := ws.stream(ctx, language, args, opts)
	if err != nil {
		return nil, err
	}
	// Of output there is nothing in r but an error that was not shown yet.
	_, unshown := stderr.Write([]byte(strings.Join(r.Stderr, "")))
	if err := errors.Join(unshown, stdout.flush(), stderr.flush()); err != nil {
		return nil, err
	}
	end := wire.SocketEnd{
		Phase: wire.PhaseEnd, Status: wire.SocketFinished, ExecutionCount: *r.ExecutionCount, ExecutionTime: *r.ExecutionTime,
		SocketNotes: notes(r),
	}
	if r.Error == nil {
		return end, nil
	}
	text := shortened(r.ExecutionError)
	end.Status, end.ExecutionError = wire.SocketFailed, &text
	return end, s.send(id, wire.SocketError{
		Phase: wire.PhaseEvent, EventType: wire.EventError, Error: wire.SocketErrorDetail{Code: shortened(r.Error.Name), Message: text},
	})
}

// notes returns what the end of a run says besides.
func notes(r wire.RunCodeResult) wire.SocketNotes {
	n := wire.SocketNotes{
		ResultsDropped: r.ResultsDropped, Ended: r.Ended, Restarted: r.Restarted,
		LateStdout: r.LateStdout, LateStderr: r.LateStderr, LateDropped: r.LateDropped,
	}
	for _, late := range []*string{&n.LateStdout, &n.LateStderr} {
		if cut := len(*late) - socketLate; cut > 0 {
			*late = (*late)[:socketLate]
			n.LateDropped += int64(cut)
		}
	}
	return n
}

// shortened returns the beginning of an error's text.
func shortened(text string) string {
	if len(text) <= socketErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:socketErrorText], "") + "…"
}

// sendItem sends a result: with its representations in both places if that is
// not too long, else in the one where AGB's own clients look, else with words in
// place of them.
func (s *socket) sendItem(id string, item wire.CodeItem) error {
	main, mime := item[wire.ItemMain], maps.Clone(item)
	delete(mime, wire.ItemMain)
	marks := func(more wire.CodeItem) wire.SocketResult {
		result := wire.CodeItem{wire.ItemMain: main, wire.ItemMainSnake: main, wire.ItemMIME: mime}
		maps.Copy(result, more)
		return wire.SocketResult{Phase: wire.PhaseEvent, EventType: wire.EventResult, Result: result}
	}
	event := marks(mime)
	text, err := socketText(id, event)
	if err == nil && len(text) > socketMessage {
		event = marks(nil)
		text, err = socketText(id, event)
	}
	if err != nil {
		return err
	}
	if len(text) > socketMessage {
		mime = wire.CodeItem{"text/plain": fmt.Sprintf("[result of %d bytes left out]", len(text))}
		event = marks(mime)
	}
	return s.send(id, event)
}

// chunks sends one kind of output, in whole characters. What is not UTF-8 is
// replaced.
type chunks struct {
	to        *socket
	id, event string
	rest      []byte // the beginning of a character
}

// Write implements [io.Writer].
func (c *chunks) Write(p []byte) (int, error) {
	rest := append(c.rest, p...)
	for len(rest) > 0 {
		piece := rest[:min(len(rest), socketChunk)]
		piece = piece[:len(piece)-unfinished(piece)]
		if len(piece) == 0 {
			break
		}
		if err := c.send(piece); err != nil {
			return 0, err
		}
		rest = rest[len(piece):]
	}
	c.rest = append([]byte(nil), rest...)
	return len(p), nil
}

// flush sends what is left of a character that does not come to its end.
func (c *chunks) flush() error {
	if len(c.rest) == 0 {
		return nil
	}
	return c.send(c.rest)
}

func (c *chunks) send(piece []byte) error {
	return c.to.send(c.id, wire.SocketOutput{Phase: wire.PhaseEvent, EventType: c.event, Chunk: replaceInvalid(piece)})
}
