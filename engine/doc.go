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
// as if it had never been.
//
// Calls of tools, from start to end, and keeping alive count as activity. To
// look at a session, its status, labels or links, does not.
//
// Sessions belong to tenants: each API key is one, and so is the program
// itself. A tenant sees its own sessions alone.
package engine
