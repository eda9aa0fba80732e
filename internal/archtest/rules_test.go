package archtest

// architecture is every package of the module and all that it may import
// besides the standard library: packages of ours, and what starts with "+",
// which [outside] and [testingLeave] explain. "x/*" stands for every package
// directly below x, a lone "*" for all packages of ours. _test.go files may
// import any package of ours, and the modules of [testModules].
//
// The SDK never imports the engine, nor the engine the SDK: wire, labels and
// apierr are their only common ground.
const architecture = `
agb/agbtest:             agb apierr engine engine/linuxns session +testing
agb:                     apierr labels session internal/transport internal/wire
session:                 apierr labels code command filesystem internal/egress internal/memnet internal/transport internal/wire
code:                    apierr internal/transport internal/wire
command:                 apierr internal/transport internal/wire
filesystem:              apierr internal/transport internal/wire
internal/transport:      apierr internal/wire +uuid +retryablehttp +websocket

engine:                  apierr labels engine/driver engine/internal/* engine/linuxns internal/memnet internal/guest internal/guest/* +uuid
engine/drivertest:       apierr engine/driver engine/drivertest/leak internal/guest +testing +testify
engine/drivertest/leak:  +sys +testing
engine/endurance:
engine/hostile:
engine/internal/httpapi: apierr labels engine/driver engine/internal/spool internal/memnet internal/wire internal/guest internal/guest/kernel +uuid +websocket
engine/internal/spool:
engine/internal/store:   apierr engine/internal/failpoint +sys +bbolt
engine/internal/failpoint:
engine/internal/failpoint/failtest: engine/internal/failpoint
engine/linuxns:          apierr engine/driver engine/linuxns/internal/* internal/guest/agent +sys
engine/linuxns/internal/cgroup:   engine/driver internal/guest/agent +sys
engine/linuxns/internal/control:  engine/driver engine/linuxns/internal/* +sys
engine/linuxns/internal/halt:     +sys
engine/linuxns/internal/launcher: engine/driver engine/linuxns/internal/* +sys
engine/linuxns/internal/layers:   engine/driver engine/linuxns/internal/* internal/guest/agent +sys
engine/linuxns/internal/reexec:   engine/driver engine/linuxns/internal/* internal/guest/agent +sys
engine/linuxns/internal/seccomp:  +sys +bpf
engine/linuxns/internal/tape:     +sys
engine/driver:

internal/guest:          internal/guest/* +sys
internal/guest/agent:    internal/guest internal/guest/* +sys
internal/guest/cmd:      internal/guest/agent
internal/guest/kernel:   internal/guest internal/guest/*
internal/guest/mux:
internal/wire:           apierr labels
internal/memnet:
internal/egress:         apierr
labels:                  apierr
apierr:

cmd/agb:                 * +sys +term
internal/bench:          *
examples/*:              agb agb/agbtest session command code filesystem labels apierr engine engine/driver
scripts/*:
internal/archtest:
internal/transport/fakestream: internal/transport internal/wire
internal/transport/faultproxy:
internal/sessiontest:    agb engine +testing +testify
`

// outside is every module that the module needs, by its name in [architecture].
var outside = map[string]string{
	"+uuid":          "github.com/google/uuid",
	"+retryablehttp": "github.com/hashicorp/go-retryablehttp",
	"+sys":           "golang.org/x/sys",
	"+term":          "golang.org/x/term",
	"+bpf":           "golang.org/x/net/bpf",
	"+bbolt":         "go.etcd.io/bbolt",
	"+testify":       "github.com/stretchr/testify",
	"+websocket":     "github.com/coder/websocket",
}

// testingLeave is what lets a package import testing, which registers flags in every
// program that it is linked into.
const testingLeave = "+testing"

// testModules are for _test.go files.
var testModules = []string{
	"github.com/coder/websocket",
	"github.com/google/uuid",
	"github.com/jarcoal/httpmock",
	"github.com/stretchr/testify",
	"go.etcd.io/bbolt",
	"go.uber.org/goleak",
	"golang.org/x/net/bpf",
	"golang.org/x/net/nettest",
	"golang.org/x/sys",
	"golang.org/x/tools/txtar",
}

// badNames are names of packages that say nothing of what is in them.
var badNames = []string{"base", "common", "helper", "helpers", "manager", "misc", "model", "models", "shared", "types", "util", "utils"}

// maxLines is how long a file may be.
const maxLines = 400
