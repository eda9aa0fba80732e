package store

import (
	"time"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
)

// A State is where a session is in its life.
type State uint8

// States, in the order in which a session passes them.
const (
	Creating State = iota // being made: nobody was given it
	Running
	Paused
	Ended
)

// OwnerDied is the reason of sessions whose engine died before they ended. No
// sandbox outlives its engine.
const OwnerDied = "owner died"

// Record is what is kept of a session.
type Record struct {
	ID     string // not empty; names the record
	Tenant string // fixed when the record is made
	Image  string
	Labels map[string]string // shared when read: not to be changed
	Seq    uint64            // order of making over all tenants, assigned by the store, never twice

	// Key makes the creation idempotent, KeyParams stand for its parameters.
	// Among the records of a tenant that are younger than Limits.KeyAge a key
	// is unique. Empty: none.
	Key       string
	KeyParams [32]byte

	State  State
	Reason string // why it ended
	// Created and Ended are kept in UTC, to the nanosecond.
	Created, Ended time.Time

	Lifetime, Idle time.Duration // as granted
	Usage          *Usage        // when it ended, not to be changed; nil: nobody kept account
}

// Usage is what a session used.
type Usage struct {
	CPU       time.Duration
	PeakBytes int64
	OOMKills  int64
}

// Bounds of a record.
const (
	// MaxRecordBytes is how large a record may be when it is encoded. It has
	// room for the labels that package labels allows, however they are escaped.
	MaxRecordBytes = 64 << 10
	// MaxLive is how many records may be of sessions that have not ended.
	MaxLive = 100_000
)

// Live reports whether the session has not ended.
func (r *Record) Live() bool { return r.State != Ended }

// check refuses what cannot be encoded as it is.
func (r *Record) check() error {
	if r.ID == "" {
		return apierr.Errorf(apierr.InvalidArgument, "store: put: the record has no id")
	}
	if r.State > Ended {
		return apierr.Errorf(apierr.InvalidArgument, "store: put: there is no state %d", r.State)
	}
	texts := []string{r.ID, r.Tenant, r.Image, r.Key, r.Reason}
	for key, value := range r.Labels {
		texts = append(texts, key, value)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return apierr.Errorf(apierr.InvalidArgument, "store: put: a text of the record is not valid UTF-8")
		}
	}
	return nil
}
