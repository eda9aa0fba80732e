// Package hostile holds the tests that attack sandboxes from within and from
// without, through the client that programs use: commands, code and files.
//
// A case is an attack and says nothing of error texts. Before it runs, canaries
// are planted outside, see world; it has failed when one of them is touched,
// when a token of theirs is in what leaves the sandbox, when the attack itself
// finds that it won, or when it did not run to its end. Each attack runs in a
// bare process first, as an ordinary program would: there it has to win.
// Where it does not, the case shows nothing: it is skipped with the word
// SKIP-NOCONTROL when it is one of those of which that is known, see
// mayLackControl, and fails when it is any other.
//
// Everything runs in a containment of its own, see contain: without a network
// beyond a loopback on which well-known addresses of the outside are served, so
// that a fault of the sandbox sends no packet anywhere.
//
// Root and an ordinary user get different sandboxes: the whole is to be run by
// both.
//
// Numbers of cases are F for files, N for names and the kernel's surface, X for
// exhaustion, W for the network and P for the guest's protocol; see the index.
package hostile
