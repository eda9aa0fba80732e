// Package code runs source code in a session. Programs reach it as
// Session.Code.
//
// Code runs in contexts: interpreters that keep variables, imports and the
// working directory from one run to the next. A session has one for each
// language, which runs use that name no other, and more can be made. The value
// of a last expression, and pictures and tables that the code displays, come
// back as results beside the output.
//
// What a cell may be, with the embedded engine:
//
//   - Python: statements, with await at the top. There is no IPython: lines that
//     begin with % or ! are no Python, but for %matplotlib, which is passed over.
//     Figures of matplotlib that are left open are results.
//   - JavaScript, and TypeScript where Node.js can take types out: a script, as
//     in Node.js' REPL, with await at the top; what it imports it requires, or
//     awaits import(…). A name that let or const has made cannot be made again.
//   - Java: statements, methods and classes, as in jshell; a main method is not
//     called.
//   - R: statements. Pages of plots that go to no device of the code's own are
//     results, and end with the run.
//   - Bash: commands; the status of the last is an error if it is not 0.
//   - Go: a program, declarations with a main function, or statements.
package code

import (
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
)

// Client runs code in one session. It is safe for concurrent use and holds no
// connection.
type Client struct {
	// Contexts are the interpreters that keep state.
	Contexts *Contexts

	t         *transport.Client
	session   string
	functions functions
}

// New is for package session; everybody else has Session.Code.
func New(t *transport.Client, session string) *Client {
	c := &Client{t: t, session: session}
	c.Contexts = &Contexts{client: c}
	return c
}

// Language is a language that code can be in.
type Language string

// Languages. Which of them a session can run depends on its image, see
// [Client.Languages]. Bash, Go and TypeScript are for the embedded engine; AGB's
// hosted service does not know them. Go keeps no state: each run is a program,
// or statements that become one, with the imports that they lack; the first in a
// session compiles what it needs of the standard library, which takes seconds.
const (
	Python     Language = "python"
	JavaScript Language = "javascript"
	TypeScript Language = "typescript"
	Java       Language = "java"
	R          Language = "r"
	Bash       Language = "bash"
	Go         Language = "go"
)

var aliases = map[string]Language{
	"python": Python, "py": Python, "python3": Python,
	"javascript": JavaScript, "js": JavaScript, "node": JavaScript, "nodejs": JavaScript,
	"typescript": TypeScript, "ts": TypeScript,
	"java": Java,
	"r":    R, "rscript": R,
	"bash": Bash, "sh": Bash, "shell": Bash,
	"go": Go, "golang": Go,
}

// ParseLanguage returns the language of that name or alias, such as "py" or
// "Node". Case and surrounding blanks do not matter. The error has code
// [apierr.InvalidArgument].
func ParseLanguage(name string) (Language, error) {
	if l, ok := aliases[strings.ToLower(strings.TrimSpace(name))]; ok {
		return l, nil
	}
	return "", apierr.Errorf(apierr.InvalidArgument, "code: language %.64q is not known", name).
		WithHint("use python, javascript, typescript, java, r, bash or go")
}
