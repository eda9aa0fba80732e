package wire_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// everyLimit has a different number in every field.
func everyLimit() *wire.Limits {
	var l wire.Limits
	n := int64(0)
	l.Each(func(_ string, value *int64) { n++; *value = n })
	return &l
}

// TestOursAreMarked: what is under /v1/ AGB's service must not be asked for
// unasked. The operations are read from the source, so that none is forgotten.
func TestOursAreMarked(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	ours := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			op, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if generic, ok := op.Type.(*ast.IndexListExpr); !ok || fmt.Sprint(generic.X) != "Op" {
				return true
			}
			fields := map[string]string{}
			for _, e := range op.Elts {
				switch value := e.(*ast.KeyValueExpr).Value.(type) {
				case *ast.BasicLit:
					fields[fmt.Sprint(e.(*ast.KeyValueExpr).Key)] = value.Value
				case *ast.Ident:
					fields[fmt.Sprint(e.(*ast.KeyValueExpr).Key)] = value.Name
				}
			}
			switch {
			case fields["Pattern"] == "": // that of a stream, which is ours always
			case strings.Contains(fields["Pattern"], " /v1/") && fields["Name"] != `"Capabilities"`:
				ours++
				require.Equal(t, "true", fields["Ours"], fields["Name"])
			default:
				require.Empty(t, fields["Ours"], fields["Name"])
			}
			return true
		})
	}
	require.Greater(t, ours, 20)
}

func TestRequestsOfOursRoundTrip(t *testing.T) {
	odd, ms := "s-ü &=+%/\"\\\n\u2028<>", int64(1500)
	roundTrip(t, wire.Capabilities, wire.Empty{})
	roundTrip(t, wire.CreateSession, wire.CreateSessionRequest{ImageID: odd, LifetimeMS: &ms, Limits: everyLimit()})
	roundTrip(t, wire.ExtendSession, wire.ExtendSessionRequest{SessionID: odd, LifetimeMS: ms})
	roundTrip(t, wire.PauseSession, wire.SessionRequest{SessionID: odd})
	roundTrip(t, wire.ResumeSession, wire.SessionRequest{SessionID: odd})
	roundTrip(t, wire.SessionUsage, wire.SessionQuery{SessionID: odd})
	file, perm := wire.FileRequest{SessionID: odd, Path: odd}, uint32(0o600)
	roundTrip(t, wire.ReadContent.Op(), wire.ReadContentRequest{FileRequest: file, Offset: 1, Length: 2, IfMatch: odd})
	roundTrip(t, wire.WriteContent.Op(), wire.WriteContentRequest{FileRequest: file, Mode: wire.WriteUpdate, Offset: 1, Perm: &perm, IfMatch: odd})
	roundTrip(t, wire.PackTree.Op(), wire.PackTreeRequest{FileRequest: file, Exclude: []string{odd}})
	roundTrip(t, wire.UnpackTree.Op(), file)
	roundTrip(t, wire.WatchTree.Op(), file)
	roundTrip(t, wire.StatFile, wire.StatFileRequest{FileRequest: file, NoFollow: true, Sum: true})
	roundTrip(t, wire.WalkTree, wire.WalkTreeRequest{FileRequest: file, After: odd, Limit: 3})
	roundTrip(t, wire.CopyFile, wire.CopyFileRequest{SessionID: odd, Source: odd, Destination: odd})
	roundTrip(t, wire.ChangeMode, wire.ChangeModeRequest{FileRequest: file, Perm: perm})
	roundTrip(t, wire.MakeSymlink, wire.MakeSymlinkRequest{FileRequest: file, Target: odd})
	roundTrip(t, wire.ReadLink, file)
	roundTrip(t, wire.TruncateFile, wire.TruncateFileRequest{FileRequest: file, Size: 4})
	roundTrip(t, wire.ListRecords, wire.ListRecordsRequest{
		Labels: wire.TextOf(map[string]string{"k <>&\"": odd}), MaxResults: 7, NextToken: odd, Selector: "a in (b)",
	})
}

func TestRecordsTravelBesideTheirPage(t *testing.T) {
	ended := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	two := 2
	for _, list := range []wire.ListRecordsResponse{
		{Page: wire.Page{MaxResults: 10}, Records: []wire.Record{}},
		{Page: wire.Page{NextToken: "t", Count: &two, Selector: "a"}, Records: []wire.Record{{
			SessionID: "s", ImageID: "i", Status: wire.StatusFinish, Labels: map[string]string{"a": "<b>"}, CreatedAt: ended,
			EndedAt: &ended, Reason: "idle", Usage: &wire.Usage{CPUMicros: 1, MemoryBytes: 2, PeakMemoryBytes: 3, Processes: 4, OOMKills: 5},
		}}},
	} {
		env := &wire.Envelope{}
		require.NoError(t, wire.Seal(env, &list))
		b, err := json.Marshal(env)
		require.NoError(t, err)
		var arrived wire.Envelope
		require.NoError(t, json.Unmarshal(b, &arrived))
		got, err := wire.Open[wire.ListRecordsResponse](&arrived)
		require.NoError(t, err)
		require.Equal(t, list, got)
	}
	env := &wire.Envelope{}
	require.NoError(t, wire.Seal(env, &wire.ListRecordsResponse{}))
	require.JSONEq(t, `[]`, string(env.Data))
}

func TestLimits(t *testing.T) {
	var got wire.CreateSessionRequest
	require.NoError(t, wire.Unmarshal([]byte(`{"limits":{"memoryBytes":67108864.0,"milliCpu":500,"processes":null},"lifetimeMs":0.5}`), &got))
	require.Equal(t, &wire.Limits{MemoryBytes: 64 << 20, MilliCPU: 500}, got.Limits)
	require.EqualValues(t, 1, *got.LifetimeMS)

	b, err := json.Marshal(everyLimit())
	require.NoError(t, err)
	require.JSONEq(t, `{"processes":1,"openFiles":2,"fileBytes":3,"dataBytes":4,"diskBytes":5,"diskInodes":6,"memoryBytes":7,"milliCpu":8}`, string(b))

	for text, want := range map[string]string{
		`{"limits":{"gpus":1}}`:          "limits.gpus: unknown limit",
		`{"limits":{"MemoryBytes":1}}`:   "limits.MemoryBytes: unknown limit",
		`{"limits":{"memoryBytes":1.5}}`: "limits.memoryBytes: want an integer",
		`{"limits":{"milliCpu":"1"}}`:    "limits.milliCpu: want an integer",
		`{"limits":[]}`:                  "limits: want an object",
		`{"limits":1}`:                   "limits: want an object",
		`{"lifetimeMs":"1h"}`:            "lifetimeMs: want an integer",
		`{"lifetimeMs":NaN}`:             "invalid JSON: invalid character 'N' looking for beginning of value",
	} {
		require.Equal(t, want, malformed[wire.CreateSessionRequest](t, text), text)
	}
	require.Equal(t, "lifetimeMs: want an integer", malformed[wire.ExtendSessionRequest](t, `{"lifetimeMs":9223372036854775808}`))
}

func TestMilliseconds(t *testing.T) {
	for d, ms := range map[time.Duration]int64{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, math.MaxInt64: math.MaxInt64/1_000_000 + 1, -1: 0,
	} {
		require.Equal(t, ms, wire.Milliseconds(d))
	}
}
