package transport

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
)

// How much of what a server says goes into an error.
const (
	// ExcerptLimit is for an answer that is not understood, in bytes.
	ExcerptLimit = 512
	// MessageLimit is for a message, in bytes.
	MessageLimit = 4 << 10
	// targetLimit is for the target of a redirect, in bytes.
	targetLimit = 256
	// encodingLimit is for the name of an encoding, in bytes.
	encodingLimit = 32
	// missingLimit is for the layers of isolation that are missing, and
	// layerLimit for the name of one, in bytes.
	missingLimit = 32
	layerLimit   = 64
	// idLimit is for a request id, in bytes.
	idLimit = 128
	// redactLimit is how much is searched for secrets; the rest is not shown.
	redactLimit = 64 << 10
)

const redacted = "[redacted]"

var secrets = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?i)((?:api[-_]?key|access[-_]?key|token|secret|password|signature|ticket|auth[-_]?code|authorization)=)[^&\s"'<>]+`), "${1}" + redacted},
	{regexp.MustCompile(`(?i)("[^"]*(?:api[-_]?key|token|secret|password|signature|ticket|auth[-_]?code|authorization)"\s*:\s*")[^"]*`), "${1}" + redacted},
	{regexp.MustCompile(`(?i)(bearer\s+)[^\s"',]+`), "${1}" + redacted},
	{regexp.MustCompile(`(//)[^/\s@"]+(@)`), "${1}" + redacted + "${2}"},
}

// redact replaces what looks like a secret, and the API key and the session's
// token wherever they are.
func (c *Client) redact(s string) string {
	if c.direct != nil {
		s = strings.ReplaceAll(s, c.direct.token, redacted)
	}
	if c.cfg.APIKey != "" {
		s = strings.ReplaceAll(s, c.cfg.APIKey, redacted)
	}
	for _, r := range secrets {
		s = r.pattern.ReplaceAllString(s, r.with)
	}
	return s
}

// Message makes what a server said fit to be shown: one line, no control
// characters, no secrets, at most [MessageLimit] bytes. Whatever a server said
// goes through it on its way into an error.
func (c *Client) Message(s string) string { return c.shown(s, MessageLimit) }

// excerpt is Message for a body that is not understood.
func (c *Client) excerpt(body []byte) string {
	return c.shown(string(body[:min(len(body), redactLimit)]), ExcerptLimit)
}

func (c *Client) shown(s string, limit int) string {
	// Redacting comes before cutting, so that no half of a secret is left.
	s = s[:min(len(s), redactLimit)]
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, c.redact(strings.ToValidUTF8(s, "\uFFFD")))
	s = strings.TrimSpace(s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
	}
	return s
}

// cause returns err as the cause of an error to be shown: itself when its text
// holds no secret and is not long, else something that matches what it matches.
func (c *Client) cause(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) <= MessageLimit && c.redact(text) == text {
		return err
	}
	return veiled{text: c.Message(text), err: err}
}

// veiled hides the text of an error that holds a secret, or far too much.
type veiled struct {
	text string
	err  error
}

func (v veiled) Error() string        { return v.text }
func (v veiled) Is(target error) bool { return errors.Is(v.err, target) }
