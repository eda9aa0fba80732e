package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"io"
	"time"

	"github.com/agb-go/sdk/apierr"
)

// format is the number of the encoding, of the file's layout too. Whatever has
// a higher one is refused as it is.
const format = 1

// A record as it is written can be told from anything else wherever it is
// found. No text that somebody chose can look like one: it is UTF-8.
//
//	mark    7 bytes
//	format  1 byte
//	length  4 bytes, of the text, little endian
//	sum     4 bytes, CRC-32C of all the rest
//	text    JSON
var mark = [7]byte{0xff, 'A', 'G', 'B', 'r', 'e', 'c'}

const headBytes = len(mark) + 1 + 4 + 4

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// maxRevision is far more than there can be, and as far from overflow.
const maxRevision = 1 << 62

// Errors of decode. errNoRecord says that there is none, or a damaged one.
var (
	errNoRecord = errors.New("store: decode: no whole record")
	errNewer    = errors.New("store: decode: a newer format")
)

// text is the JSON of an entry.
type text struct {
	ID        string            `json:"id"`
	Seq       uint64            `json:"seq"`
	Rev       uint64            `json:"rev"`
	Tenant    string            `json:"tenant,omitempty"`
	Image     string            `json:"image,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Key       string            `json:"key,omitempty"`
	KeyParams []byte            `json:"keyParams,omitempty"`
	State     State             `json:"state"`
	Reason    string            `json:"reason,omitempty"`
	Created   time.Time         `json:"created"`
	Ended     time.Time         `json:"ended,omitzero"`
	Lifetime  time.Duration     `json:"lifetime,omitempty"`
	Idle      time.Duration     `json:"idle,omitempty"`
	CPU       *time.Duration    `json:"cpu,omitempty"` // absent: nobody kept account
	PeakBytes int64             `json:"peakBytes,omitempty"`
	OOMKills  int64             `json:"oomKills,omitempty"`
}

// seal encodes e and notes in it how large it is and what stands for it. The
// error is that of encode.
func (e *entry) seal() ([]byte, error) {
	whole, err := encode(e)
	if err == nil {
		e.size, e.mark = len(whole), digest(e.Seq, whole)
	}
	return whole, err
}

// digest stands for a whole record at its place.
func digest(seq uint64, whole []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, seq)) // never fails
	_, _ = h.Write(whole[:headBytes])                       // which has a checksum of the rest
	return h.Sum64()
}

// encode returns e as it is written. The error has code InvalidArgument.
func encode(e *entry) ([]byte, error) {
	t := text{
		ID: e.ID, Seq: e.Seq, Rev: e.rev, Tenant: e.Tenant, Image: e.Image, Labels: e.Labels, Key: e.Key,
		State: e.State, Reason: e.Reason, Created: e.Created, Ended: e.Ended, Lifetime: e.Lifetime, Idle: e.Idle,
	}
	if u := e.Usage; u != nil {
		t.CPU, t.PeakBytes, t.OOMKills = &u.CPU, u.PeakBytes, u.OOMKills
	}
	if e.KeyParams != [32]byte{} {
		t.KeyParams = e.KeyParams[:]
	}
	var b bytes.Buffer
	b.Write(mark[:])
	b.WriteByte(format)
	b.Write(make([]byte, 8))
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(t); err != nil {
		return nil, apierr.Errorf(apierr.InvalidArgument, "store: put: %w", err)
	}
	whole := b.Bytes()
	if len(whole) > MaxRecordBytes {
		return nil, apierr.Errorf(apierr.InvalidArgument, "store: put: the record has %d bytes, %d are allowed", len(whole), MaxRecordBytes)
	}
	binary.LittleEndian.PutUint32(whole[len(mark)+1:], uint32(len(whole)-headBytes))
	binary.LittleEndian.PutUint32(whole[len(mark)+5:], sum(whole))
	return whole, nil
}

// sum returns the checksum of a whole record, but for the place of the sum.
func sum(whole []byte) uint32 {
	at := headBytes - 4
	return crc32.Update(crc32.Checksum(whole[:at], crcTable), crcTable, whole[headBytes:])
}

// frame returns the whole record that b begins with. It does not look at its
// text.
func frame(b []byte) (whole []byte, err error) {
	if len(b) < headBytes || !bytes.Equal(b[:len(mark)], mark[:]) {
		return nil, errNoRecord
	}
	n := binary.LittleEndian.Uint32(b[len(mark)+1:])
	if n > uint32(MaxRecordBytes-headBytes) || int(n) > len(b)-headBytes {
		return nil, errNoRecord
	}
	whole = b[:headBytes+int(n)]
	if sum(whole) != binary.LittleEndian.Uint32(b[len(mark)+5:]) {
		return nil, errNoRecord
	}
	switch f := b[len(mark)]; {
	case f > format:
		return nil, errNewer
	case f < format:
		return nil, errNoRecord
	}
	return whole, nil
}

// decode reads the record that b begins with and returns how long it is. Its
// error is errNoRecord or errNewer.
func decode(b []byte) (*entry, int, error) {
	whole, err := frame(b)
	if err != nil {
		return nil, 0, err
	}
	var t text
	in := json.NewDecoder(bytes.NewReader(whole[headBytes:]))
	in.DisallowUnknownFields()
	if err := in.Decode(&t); err != nil {
		return nil, 0, errNoRecord
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, 0, errNoRecord
	}
	e := &entry{rev: t.Rev, size: len(whole), mark: digest(t.Seq, whole), Record: Record{
		ID: t.ID, Seq: t.Seq, Tenant: t.Tenant, Image: t.Image, Labels: t.Labels, Key: t.Key,
		State: t.State, Reason: t.Reason, Created: t.Created, Ended: t.Ended, Lifetime: t.Lifetime, Idle: t.Idle,
	}}
	if t.CPU != nil {
		e.Usage = &Usage{CPU: *t.CPU, PeakBytes: t.PeakBytes, OOMKills: t.OOMKills}
	}
	copy(e.KeyParams[:], t.KeyParams)
	if e.check() != nil || e.Seq == 0 || e.rev < e.Seq || e.rev > maxRevision || len(t.KeyParams) != 0 && len(t.KeyParams) != 32 {
		return nil, 0, errNoRecord
	}
	return e, len(whole), nil
}
