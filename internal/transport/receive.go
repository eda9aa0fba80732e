package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/agb-go/sdk/apierr"
)

// How much of an answer is read.
const (
	// ResponseLimit is how many bytes of a success are read, after
	// decompression. A longer one is an error.
	ResponseLimit = 16 << 20
	// FailureLimit is how many bytes of a failure are read, and failureWait
	// for how long after its headers: whatever has come by then will do.
	FailureLimit = 64 << 10
	failureWait  = 2 * time.Second
	// drainLimit and drainWait bound what is read of an answer that is not
	// wanted, for the sake of keeping its connection.
	drainLimit = 4 << 10
	drainWait  = 100 * time.Millisecond
	// trustedLength is how long an answer may say that it is to be believed
	// before it has come.
	trustedLength = 1 << 20
)

// receive reads the answer whole. It implements
// [retryablehttp.ResponseHandlerFunc]; an error counts as a lost answer.
func (k *call) receive(resp *http.Response) error {
	if k.read {
		return nil
	}
	defer func() { _ = resp.Body.Close() }() // the reading told all there is to tell
	if !k.succeeded(resp.StatusCode) {
		hurry := time.AfterFunc(failureWait, k.end)
		defer hurry.Stop()
		body, err := readAtMost(resp, FailureLimit)
		if err != nil && k.clock.Err() == nil && (k.repeatable || k.insurance != "") {
			return err // the status alone does not say which failure it is, and asking again does
		}
		k.body, k.read = body, true // half of it is better than nothing
		return nil
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return k.fault(apierr.MalformedResponse, resp.StatusCode, "the answer is encoded as "+k.client.shown(enc, encodingLimit)+", which was not asked for")
	}
	body, err := readAtMost(resp, ResponseLimit+1)
	switch {
	case err != nil:
		return err
	case len(body) > ResponseLimit:
		return k.fault(apierr.ResponseTooLarge, resp.StatusCode, fmt.Sprintf("the answer is longer than %d bytes", ResponseLimit))
	}
	k.body, k.read = body, true
	return nil
}

// readAtMost reads resp's body, at most n bytes of it.
func readAtMost(resp *http.Response, n int) ([]byte, error) {
	// What the header promises is trusted as far as it costs little. One byte
	// more finds the end without growing.
	b := make([]byte, 0, min(max(int(min(resp.ContentLength, trustedLength))+1, bytes.MinRead), n))
	for {
		read, err := resp.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+read]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil || len(b) == n:
			return b, err
		case len(b) == cap(b):
			b = append(make([]byte, 0, min(2*cap(b), n)), b...)
		}
	}
}

// discard empties and closes resp's body. end ends the attempt, which is what
// stops a body that trickles. It returns what it read.
func discard(resp *http.Response, end context.CancelFunc) []byte {
	hurry := time.AfterFunc(drainWait, end)
	defer hurry.Stop()
	body, _ := readAtMost(resp, drainLimit) // closing gives up what is left
	_ = resp.Body.Close()
	resp.Body = http.NoBody
	return body
}
