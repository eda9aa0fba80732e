package apierr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

var codes = []apierr.Code{
	apierr.Unknown, apierr.Canceled, apierr.DeadlineExceeded, apierr.InvalidArgument, apierr.NotFound, apierr.SessionNotFound,
	apierr.AlreadyExists, apierr.PermissionDenied, apierr.Unauthenticated, apierr.ResourceExhausted, apierr.FailedPrecondition,
	apierr.InterpreterMissing, apierr.IsolationUnavailable, apierr.ResponseTooLarge, apierr.MalformedResponse,
	apierr.UnknownOutcome, apierr.Unavailable, apierr.Unsupported, apierr.Internal,
}

// TestSentinels: an error matches the sentinel of its code and no other, but
// that a missing session is something missing.
func TestSentinels(t *testing.T) {
	for _, c := range codes {
		err := fmt.Errorf("wrapped: %w", apierr.Errorf(c, "x"))
		for _, other := range codes {
			want := c == other || c == apierr.SessionNotFound && other == apierr.NotFound
			require.Equal(t, want, errors.Is(err, other.Err()), "%s is %s", c, other)
		}
		require.Equal(t, c, apierr.CodeOf(err))
		require.NotErrorIs(t, err, io.EOF)
	}
}

func TestStandardMeanings(t *testing.T) {
	standard := []error{context.Canceled, context.DeadlineExceeded, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, errors.ErrUnsupported}
	meanings := map[apierr.Code]error{
		apierr.Canceled: context.Canceled, apierr.DeadlineExceeded: context.DeadlineExceeded, apierr.NotFound: fs.ErrNotExist,
		apierr.AlreadyExists: fs.ErrExist, apierr.PermissionDenied: fs.ErrPermission, apierr.Unsupported: errors.ErrUnsupported,
	}
	for _, c := range codes {
		for _, std := range standard {
			require.Equal(t, meanings[c] == std, errors.Is(apierr.Errorf(c, "x"), std), "%s is %v", c, std) //nolint:errorlint // they are themselves
		}
	}
	for c, std := range meanings {
		require.Equal(t, c, apierr.CodeOf(fmt.Errorf("wrapped: %w", std)))
	}
	require.Equal(t, apierr.Unknown, apierr.CodeOf(io.EOF))
	require.Empty(t, apierr.CodeOf(nil))
}

func TestCause(t *testing.T) {
	err := apierr.Errorf(apierr.Unavailable, "dial: %w", io.ErrUnexpectedEOF)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorIs(t, err, apierr.Unavailable.Err())
	require.Equal(t, io.ErrUnexpectedEOF, err.Unwrap())
	require.NoError(t, apierr.Errorf(apierr.Unavailable, "dial: %v", io.EOF).Unwrap())
}

func TestText(t *testing.T) {
	e := apierr.Errorf(apierr.NotFound, "no such file")
	require.Equal(t, "no such file [not_found]", e.Error())
	e = e.WithHint("make it in %s", "/tmp")
	e.Op, e.HTTPStatus, e.SessionID, e.RequestID = "filesystem.Stat", 404, "s-1", "r-1"
	require.Equal(t, "filesystem.Stat: no such file; make it in /tmp [not_found, HTTP 404, session s-1, request r-1]", e.Error())
}

func TestLogValue(t *testing.T) {
	var out bytes.Buffer
	e := apierr.Errorf(apierr.NotFound, "no such file")
	e.Op, e.HTTPStatus, e.SessionID, e.RequestID, e.RetryAfter = "op", 404, "s-1", "r-1", time.Second
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "error", e)
	for _, want := range []string{"error.code=not_found", `error.message="no such file"`, "error.op=op", "error.request_id=r-1", "error.session_id=s-1", "error.http_status=404"} {
		require.Contains(t, out.String(), want)
	}
	out.Reset()
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "error", apierr.Errorf(apierr.Internal, "y"))
	require.NotContains(t, out.String(), "request_id")
	require.NotContains(t, out.String(), "http_status")
}

func TestFrom(t *testing.T) {
	require.Nil(t, apierr.From(nil))
	e := apierr.Errorf(apierr.NotFound, "x")
	require.Same(t, e, apierr.From(fmt.Errorf("wrapped: %w", e)))
	std := apierr.From(fmt.Errorf("open: %w", fs.ErrNotExist))
	require.Equal(t, apierr.NotFound, std.Code)
	require.Equal(t, "open: file does not exist", std.Message)
	require.ErrorIs(t, std, fs.ErrNotExist)
}

// TestNilTarget: errors.Is with a nil target is false, as for any error.
func TestNilTarget(t *testing.T) {
	require.False(t, apierr.Errorf(apierr.Internal, "x").Is(nil))
}
