package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// tasks returns what a session tells of syncs.
func tasks(t *testing.T, p peer, req wire.ContextInfoRequest) []wire.ContextTask {
	t.Helper()
	status := must(t, p, wire.ContextInfo, req).Status.V
	if len(status) == 0 {
		return nil
	}
	require.Len(t, status, 1)
	require.Equal(t, wire.StatusData, status[0].Type)
	return status[0].Data.V
}

func TestLoadContext(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := load(t, p, id)
	require.Regexp(t, `^ft-[0-9a-f]{64}$`, c.ID)
	require.Equal(t, wire.InternalContext{ID: c.ID, Type: wire.ContextFileTransfer, Path: "/tmp/file_transfer"}, c)
	shell(t, p, id, wire.ShellArgs{Command: "rmdir " + c.Path})
	require.Equal(t, c, load(t, p, id))
	require.Zero(t, shell(t, p, id, wire.ShellArgs{Command: "test -d " + c.Path}).ExitCode, "it is made again")
	for _, bad := range []string{"", "[]", `["other"]`, `["file_transfer","other"]`, `[""]`, `["FILE_TRANSFER"]`, "file_transfer", "{}"} {
		a := p.raw(t, http.MethodPost, "/sdk/GetAndLoadInternalContext?sessionId="+id+"&contextTypes="+bad, "{}")
		require.Equal(t, "InvalidParameter", a.Code, bad)
		require.Contains(t, a.Message, "contextTypes", bad)
	}
	require.True(t, p.raw(t, http.MethodPost, "/sdk/GetAndLoadInternalContext?sessionId="+id+`&contextTypes=["file_transfer","file_transfer"]`, "").Success)

	shell(t, p, id, wire.ShellArgs{Command: "rmdir " + c.Path + " && touch " + c.Path})
	_, a := ask(t, p, wire.LoadContext, wire.LoadContextRequest{SessionID: id, Types: wire.TextOf([]string{wire.ContextFileTransfer})})
	require.False(t, a.Success, "there is something else")
	require.NotEqual(t, http.StatusInternalServerError, a.status)
}

func TestLoadContextAtOnce(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	var all sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		all.Go(func() { ids[i] = load(t, p, id).ID })
	}
	all.Wait()
	for _, other := range ids {
		require.Equal(t, ids[0], other)
		require.NotEmpty(t, other)
	}
}

func TestSyncsAreTold(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	require.Nil(t, tasks(t, p, wire.ContextInfoRequest{SessionID: id}))
	must(t, p, wire.SyncContext, wire.SyncContextRequest{SessionID: id, Mode: wire.SyncUpload})
	_, a := ask(t, p, wire.ContextInfo, wire.ContextInfoRequest{SessionID: id})
	require.JSONEq(t, `{"contextStatus":"[]"}`, string(a.Data), "there is no context to sync")

	c := load(t, p, id)
	try := func(context, path, mode string) answer {
		_, a := ask(t, p, wire.SyncContext, wire.SyncContextRequest{SessionID: id, ContextID: context, Path: path, Mode: mode})
		return a
	}
	odd := "/tmp/../tmp//é \"\\<x>/"
	require.True(t, try(c.ID, odd, "download").Success)
	require.True(t, try(c.ID, odd, "upload").Success)
	require.True(t, try("", "", "").Success)
	told := tasks(t, p, wire.ContextInfoRequest{SessionID: id})
	require.Len(t, told, 3)
	for i, want := range []wire.ContextTask{{Path: odd, Type: "download"}, {Path: odd, Type: "upload"}, {Path: c.Path, Type: "upload"}} {
		require.Equal(t, wire.ContextTask{
			ContextID: c.ID, Path: want.Path, Type: want.Type, Status: wire.TaskSuccess, Started: told[i].Started, Finished: told[i].Finished,
		}, told[i])
	}
	require.Len(t, tasks(t, p, wire.ContextInfoRequest{SessionID: id, ContextID: c.ID}), 3)
	require.Len(t, tasks(t, p, wire.ContextInfoRequest{SessionID: id, TaskType: "upload"}), 2)
	require.Len(t, tasks(t, p, wire.ContextInfoRequest{SessionID: id, Path: odd}), 2)
	require.Len(t, tasks(t, p, wire.ContextInfoRequest{SessionID: id, ContextID: c.ID, Path: odd, TaskType: "download"}), 1)
	for _, none := range []wire.ContextInfoRequest{{Path: "/tmp"}, {TaskType: "other"}, {Path: c.Path, TaskType: "download"}} {
		none.SessionID = id
		require.Nil(t, tasks(t, p, none))
	}

	for name, a := range map[string]answer{
		"no path": try(c.ID, "", "upload"), "no context": try("", "/tmp", "upload"), "no mode": try(c.ID, "/tmp", "both"),
		"a NUL": try(c.ID, "/tmp/\x00", "upload"), "no text": try(c.ID, "/tmp/\xff", "upload"), "too long": try(c.ID, strings.Repeat("x", 4097), "upload"),
	} {
		require.Equal(t, "InvalidParameter", a.Code, name)
	}
	require.Equal(t, http.StatusNotFound, try("ft-0", "/tmp", "upload").status)
	require.Len(t, tasks(t, p, wire.ContextInfoRequest{SessionID: id}), 3)
}

// A session remembers 64 tasks.
func TestSyncsAreForgotten(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := load(t, p, id)
	for i := range 64 {
		must(t, p, wire.SyncContext, wire.SyncContextRequest{SessionID: id, ContextID: c.ID, Path: fmt.Sprint("/tmp/", i), Mode: wire.SyncUpload})
	}
	told := tasks(t, p, wire.ContextInfoRequest{SessionID: id})
	require.Len(t, told, 64)
	require.Equal(t, "/tmp/0", told[0].Path)
	again := func(path string) []wire.ContextTask {
		must(t, p, wire.SyncContext, wire.SyncContextRequest{SessionID: id, ContextID: c.ID, Path: path, Mode: wire.SyncUpload})
		return tasks(t, p, wire.ContextInfoRequest{SessionID: id})
	}
	told = again("/tmp/0")
	require.Len(t, told, 64)
	require.Equal(t, []string{"/tmp/1", "/tmp/0"}, []string{told[0].Path, told[63].Path}, "one that is repeated is the latest")
	told = again("/tmp/64")
	require.Len(t, told, 64)
	require.Equal(t, []string{"/tmp/2", "/tmp/64"}, []string{told[0].Path, told[63].Path})
}

// Syncing is activity, asking is not.
func TestSyncsAreActivity(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := load(t, p, id)
	ends := func() string {
		return must(t, p, wire.SessionInfo, wire.SessionRequest{SessionID: id}).IdleExpiresAt.String()
	}
	before := ends()
	tasks(t, p, wire.ContextInfoRequest{SessionID: id})
	urls(t, p, c, "/tmp/a")
	require.Equal(t, before, ends())
	must(t, p, wire.SyncContext, wire.SyncContextRequest{SessionID: id, ContextID: c.ID, Path: "/tmp", Mode: wire.SyncUpload})
	require.NotEqual(t, before, ends())
}
