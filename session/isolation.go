package session

import (
	"context"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Names of the layers and limits that the embedded engine tells of. Other
// services and runtimes may have others.
const (
	LayerNamespaces   = "namespaces"     // of users, mounts, processes, network, ipc, host name and cgroups
	LayerCapabilities = "capabilities"   // none, and none to be had
	LayerNoNewPrivs   = "no_new_privs"   // see prctl(2)
	LayerSeccomp      = "seccomp"        // the system call filter
	LayerLandlock     = "landlock"       // see landlock(7)
	LayerReadOnlyRoot = "read-only root" // and no file of the host beyond the image
	LayerNetwork      = "no network"     // loopback alone
	LayerMemoryLimit  = "memory limit"   // [Limits.MemoryBytes]
	LayerProcessLimit = "process limit"  // [Limits.Processes]
	LayerCPULimit     = "cpu limit"      // [Limits.MilliCPU]
	LayerDiskLimit    = "disk limit"     // [Limits.DiskBytes] and [Limits.DiskInodes]
	LayerDescriptors  = "descriptors"    // none inherited
	LayerGuestHidden  = "guest hidden"   // the engine's agent in the sandbox cannot be read or traced
)

// Layer is a layer of a session's isolation, or a limit that is enforced.
type Layer struct {
	Name string // such as [LayerSeccomp]
	// Active reports whether the layer has been verified to be there, on this
	// session, when it was made. It is never what was merely asked for.
	Active bool
	Detail string // what was found; for people, and may be empty
}

// Layers are the layers of a session's isolation.
type Layers []Layer

// Active reports whether the layer of that name is there and verified.
func (l Layers) Active(name string) bool {
	for _, layer := range l {
		if layer.Name == name {
			return layer.Active
		}
	}
	return false
}

// IsolationResult is the outcome of [Session.Isolation].
type IsolationResult struct {
	Layers    Layers // never empty
	RequestID string
}

// Active is [Layers.Active].
func (r *IsolationResult) Active(name string) bool { return r.Layers.Active(name) }

// Isolation tells what isolates the session, as verified when it was made. The
// error has code [apierr.Unsupported] when the service does not say. Asking
// does not count as activity. To refuse sessions that lack a layer, configure
// the engine so: looking afterwards is for those who want to know.
func (s *Session) Isolation(ctx context.Context) (*IsolationResult, error) {
	resp, meta, err := s.describe(ctx)
	if err != nil {
		return nil, s.fail(err, "Isolation")
	}
	if len(resp.Isolation) == 0 {
		return nil, s.fail(&apierr.Error{
			Code: apierr.Unsupported, RequestID: meta.RequestID, Message: "this service does not tell what isolates its sessions",
		}, "Isolation")
	}
	return &IsolationResult{Layers: layersOf(resp.Isolation), RequestID: meta.RequestID}, nil
}

// layersOf returns layers that a server told, nil when there are none.
func layersOf(told []wire.Layer) Layers {
	var layers Layers
	for _, l := range told {
		layers = append(layers, Layer(l))
	}
	return layers
}
