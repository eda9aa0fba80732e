package agb_test

import (
	"testing"

	"github.com/agb-go/sdk/agb/agbtest"
)

// BenchmarkStatus measures a call to the embedded engine that has next to
// nothing to do.
func BenchmarkStatus(b *testing.B) {
	s := agbtest.NewSession(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Status(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommand measures the shortest command there is.
func BenchmarkCommand(b *testing.B) {
	s := agbtest.NewSession(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Command.Run(b.Context(), "true", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSession measures the life of a session, from its creation to the
// moment when it is gone.
func BenchmarkSession(b *testing.B) {
	c := agbtest.NewClient(b)
	b.ReportAllocs()
	for b.Loop() {
		created, err := c.Create(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Delete(b.Context(), created.Session.ID); err != nil {
			b.Fatal(err)
		}
	}
}
