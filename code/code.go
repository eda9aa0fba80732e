// Package code runs source code in a session. Programs reach it as
// Session.Code.
//
// Code runs to its end, each run in an interpreter of its own. The value of a
// last expression, and pictures and tables that the code displays, come back
// as results beside the output.
package code

import (
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
)

// Client runs code in one session. It is safe for concurrent use and holds no
// connection.
type Client struct {
	t       *transport.Client
	session string
}

// New is for package session; everybody else has Session.Code.
func New(t *transport.Client, session string) *Client { return &Client{t: t, session: session} }

// Language is a language that code can be in.
type Language string

// Languages. Which of them a session can run depends on its image. Bash is
// for the embedded engine; AGB's hosted service does not know it.
const (
	Python     Language = "python"
	JavaScript Language = "javascript"
	Java       Language = "java"
	R          Language = "r"
	Bash       Language = "bash"
)

var aliases = map[string]Language{
	"python": Python, "py": Python, "python3": Python,
	"javascript": JavaScript, "js": JavaScript, "node": JavaScript, "nodejs": JavaScript,
	"java": Java,
	"r":    R,
	"bash": Bash, "sh": Bash, "shell": Bash,
}

// ParseLanguage returns the language of that name or alias, such as "py" or
// "Node". Case and surrounding blanks do not matter. The error has code
// [apierr.InvalidArgument].
func ParseLanguage(name string) (Language, error) {
	if l, ok := aliases[strings.ToLower(strings.TrimSpace(name))]; ok {
		return l, nil
	}
	return "", apierr.Errorf(apierr.InvalidArgument, "code: language %.64q is not known", name).
		WithHint("use python, javascript, java, r or bash")
}
