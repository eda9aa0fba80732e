// Package agent is the guest: the process that is pid 1 in a sandbox and does
// what the engine asks for. [Main] is all of it; it exists on Linux alone.
//
// The agent runs as an ordinary user without capabilities, under the same
// filter as the commands it starts, which have the same user id: it guards
// nothing that they could not have themselves. What it must do is go on
// whatever they do to it. So
//
//   - it is not dumpable, and signals from inside do nothing to it;
//   - it takes nothing from them: neither environment nor files to configure it;
//   - it holds no descriptor that they could use: all are close-on-exec;
//   - it is the only one that waits for processes, and adopts every orphan;
//   - files are opened with openat2 and without the magic links of /proc, which
//     would lead into itself, and read only if they are regular;
//   - everything is bounded: commands at once, output, lists, walks, waits.
//
// A command runs in a session of its own. It ends with its main process: what
// that leaves behind in the background lives on. When the command is given up
// or its time is over, everything it started is killed, which is known by a
// mark that all of it inherited and none of it can change. The answer is sent
// when two looks at /proc found none of it.
//
// A command may have a limit of processor time, too: the kernel holds each of
// its processes to it, and the agent all of them together, by adding up what
// they have used as often as the limit could be reached. When memory is used up
// the kernel kills commands before the agent.
package agent
