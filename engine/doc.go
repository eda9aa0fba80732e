// Package engine runs sandbox sessions inside this program and serves them
// over the same HTTP protocol as the hosted AGB service.
//
//	eng, err := engine.New(engine.Config{})
//	if err != nil { … }
//	defer eng.Close()
//	client, err := agb.New(agb.WithTransport(eng.Transport()))
//
// The protocol travels over in-memory pipes, so nothing listens on a port and
// no key is needed. [Engine.Handler] serves the same sessions on a port, to
// every AGB SDK, for those who have one of [Config.APIKeys].
//
// # Sessions
//
// A session is a sandbox with a guest in it. It ends when it is deleted, when
// nothing was asked of it for its idle time, when its life is over, when its
// sandbox dies, and when the engine is closed. From then on every call answers
// that there is no such session and, to its own tenant, when and why it ended;
// of an engine that is closed, that it is. Deleting a session again succeeds.
//
// # Clocks
//
// The idle clock runs while nothing is asked of a session. Calls of tools, from
// start to end, and keeping alive count as activity. To look at a session, its
// status, labels or links, does not, and neither does extending its life.
//
// The clock of its life runs from its making, however busy it is. Extending
// sets it anew, to at most [Config.MaxLifetime] from then, as often as anybody
// likes. An extension that meets the end either is told that the session is
// gone or has it live on. Both clocks are monotonic: setting the time of day
// moves neither, and while the machine is suspended they stand still.
//
// # Pause
//
// A paused session's processes are stopped where they are and keep their
// memory and their place. Its idle clock stands still; its life goes on. It can
// be looked at, labelled, kept alive, extended, resumed and deleted; calls of
// tools and requests over links are refused with
// [apierr.FailedPrecondition] until it is resumed. A session with calls at work
// is not paused, since their timeouts could not be kept; programs in the
// background do not hinder.
//
// # Isolation and limits
//
// Around each sandbox are layers: namespaces, no capabilities, no_new_privs, a
// filter of system calls, Landlock where the kernel has it, a root that cannot
// be written to, no network, and limits. Before a session gets a sandbox, the
// guest in it looks which of them it finds from inside, and the limits are read
// back from the kernel; those of a sandbox from the pool once more when it is
// handed out. What was found, and not what was asked for, is what a session
// tells as its isolation.
//
// No session is made without the layers of [Config.Require]. Who asks for a
// limit of its own requires the layer that keeps it: the error has code
// [apierr.IsolationUnavailable] and names what is missing, why, and what to do.
//
// [Config.Limits] are those of sessions that ask for no others, and
// [Config.MaxLimits] the most that may be asked for. Nothing is unlimited by
// default. But memory and processor time are limited by control groups: where
// the program can have none, a session that asks for neither is made without
// these two limits, unless Require names "memory limit" and "cpu limit".
//
// # Creating
//
// A creation with an idempotency key is made once: for 24 hours the same key of
// the same tenant gives the same session, also to callers at once, and is
// refused with [apierr.InvalidArgument] when anything else is asked for with
// it. When the session has ended, or its engine has, the key is refused with
// [apierr.FailedPrecondition]: another session takes another key.
//
// Over [Config.MaxSessions] or the memory of [Config.MemoryBudget], creations
// are refused with [apierr.ResourceExhausted]. Any number of them at once wait
// for their turn.
//
// [Config.Pool] keeps sandboxes ready. Each is for one session: none is used
// again. Before it is handed out nothing has run in it but /bin/true.
//
// # Records
//
// Of each session a record is kept: its labels, when and why it ended and what
// it used. The newest 10,000 of those that ended stay, in memory or, with
// [Config.StateDir], on disk: a session is told of only when its record is
// there. Records of an engine that died say "owner died".
//
// # Tenants
//
// Sessions belong to tenants: each API key is one, and so is the program
// itself. A tenant sees its own sessions alone.
package engine
