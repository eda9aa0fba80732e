package store

import (
	"os"
	"time"
)

// Owner is a process that owns a directory.
type Owner struct {
	PID int `json:"pid"`
	// Start is when the process started, and Boot which life of the machine that
	// was, both in the system's own terms. Numbers of processes come again, the
	// three together do not. They are empty where the system does not tell them.
	Start string    `json:"start,omitempty"`
	Boot  string    `json:"boot,omitempty"`
	Since time.Time `json:"since"` // when it opened the directory
}

// self returns this process as an owner.
func self() Owner {
	start, _ := started(os.Getpid())
	return Owner{PID: os.Getpid(), Start: start, Boot: boot(), Since: time.Now().UTC().Round(0)}
}

// Alive reports whether the process still runs. On systems that do not tell when
// a process started it is always false.
//
// An owner that Open reports as the previous one has died or closed in any case:
// it had a lock that ends with the process.
func (o Owner) Alive() bool {
	start, ok := started(o.PID)
	return ok && start == o.Start && boot() == o.Boot
}
