package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// syncContext keeps in mind that a directory was synced, under the names that
// the client has for it, for clients ask until they are told.
func (a *API) syncContext(ctx context.Context, by caller, req wire.SyncContextRequest) (*wire.Empty, error) {
	err := a.cfg.Engine.Do(ctx, by.tenant, req.SessionID, func(_ context.Context, ws *Workspace) error {
		t := ws.transferOf()
		task, err := syncTask(t, req)
		if err == nil && t != nil {
			t.keep(task)
		}
		return err
	})
	return nil, fromInside(err)
}

// syncTask returns what is to be told of a sync in t, nil if there is no context.
func syncTask(t *transfer, req wire.SyncContextRequest) (wire.ContextTask, error) {
	now := time.Now().Unix()
	task := wire.ContextTask{
		ContextID: req.ContextID, Path: req.Path, Status: wire.TaskSuccess, Started: now, Finished: now, Type: req.Mode,
	}
	switch req.Mode {
	case wire.SyncUpload, wire.SyncDownload:
	case "":
		task.Type = wire.SyncUpload
	default:
		return task, apierr.Errorf(apierr.InvalidArgument, "mode: %.64q is neither %s nor %s", req.Mode, wire.SyncUpload, wire.SyncDownload)
	}
	switch {
	case (req.ContextID == "") != (req.Path == ""):
		return task, apierr.Errorf(apierr.InvalidArgument, "contextId and path: there is one without the other")
	case req.ContextID == "" && t != nil:
		task.ContextID, task.Path = t.id, transferDir
	case req.ContextID == "":
	case t == nil || t.id != req.ContextID:
		return task, errNoContext(req.ContextID)
	default:
		return task, checkTransferPath("path", req.Path)
	}
	return task, nil
}

// keep remembers a task, instead of an earlier one of the same directory and
// type. Beyond so many the one that is longest ago is forgotten.
func (t *transfer) keep(task wire.ContextTask) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tasks = slices.DeleteFunc(t.tasks, func(other wire.ContextTask) bool {
		return other.Path == task.Path && other.Type == task.Type
	})
	if len(t.tasks) == maxTasks {
		t.tasks = slices.Delete(t.tasks, 0, 1)
	}
	t.tasks = append(t.tasks, task)
}

// matching returns the tasks that a client asks for.
func (t *transfer) matching(req wire.ContextInfoRequest) (tasks []wire.ContextTask) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, task := range t.tasks {
		if (req.Path == "" || req.Path == task.Path) && (req.TaskType == "" || req.TaskType == task.Type) {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func (a *API) contextInfo(_ context.Context, by caller, req wire.ContextInfoRequest) (*wire.ContextInfoResponse, error) {
	ws, err := a.cfg.Engine.Workspace(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	t := ws.transferOf()
	if req.ContextID != "" && (t == nil || t.id != req.ContextID) {
		return nil, errNoContext(req.ContextID)
	}
	resp := &wire.ContextInfoResponse{Status: wire.JSONText[[]wire.ContextStatus]{V: []wire.ContextStatus{}}}
	if t == nil {
		return resp, nil
	}
	if tasks := t.matching(req); len(tasks) > 0 {
		resp.Status.V = append(resp.Status.V, wire.ContextStatus{Type: wire.StatusData, Data: wire.JSONText[[]wire.ContextTask]{V: tasks}})
	}
	return resp, nil
}
