package labels

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
)

// Limits of a selector.
const (
	MaxSelectorBytes = 4096 // as given, and in canonical form
	MaxRequirements  = 64
)

// ParseSelector reads a selector in the syntax of the package comment. Blank
// text is the zero Selector. An error is an [*apierr.Error] with code
// [apierr.InvalidArgument] that says where the fault is.
func ParseSelector(text string) (Selector, error) {
	if len(text) > MaxSelectorBytes {
		return Selector{}, apierr.Errorf(apierr.InvalidArgument,
			"labels: parse selector: %d bytes, at most %d are allowed", len(text), MaxSelectorBytes)
	}
	if !utf8.ValidString(text) {
		return Selector{}, apierr.Errorf(apierr.InvalidArgument, "labels: parse selector: not valid UTF-8")
	}
	p := parser{text: text}
	p.next()
	reqs, err := p.selector()
	if err != nil {
		return Selector{}, err
	}
	s := newSelector(reqs)
	if n := len(s.String()); n > MaxSelectorBytes {
		return Selector{}, apierr.Errorf(apierr.InvalidArgument,
			"labels: parse selector: %d bytes in canonical form, at most %d are allowed", n, MaxSelectorBytes)
	}
	return s, nil
}

// kind is what a token is.
type kind uint8

const (
	end    kind = iota
	word        // a key, a value or an operator's name
	quoted      // a key or a value
	sign        // , ( ) = == ! !=
	broken      // not a token
)

// token is a piece of a selector. Its text is what it means, not what was
// written; that of a broken one is the complaint.
type token struct {
	kind kind
	text string
	at   int // byte offset in the selector
}

// parser holds the token to be looked at next.
type parser struct {
	text string
	pos  int // after tok
	tok  token
}

func (p *parser) selector() ([]requirement, error) {
	if p.tok.kind == end {
		return nil, nil
	}
	var reqs []requirement
	for {
		r, err := p.requirement()
		if err != nil {
			return nil, err
		}
		if reqs = append(reqs, r); len(reqs) > MaxRequirements {
			return nil, apierr.Errorf(apierr.InvalidArgument,
				"labels: parse selector: more than %d requirements", MaxRequirements)
		}
		if p.tok.kind == end {
			return reqs, nil
		}
		if !p.take(",") {
			return nil, p.fault("an operator or a comma")
		}
	}
}

func (p *parser) requirement() (r requirement, err error) {
	if p.take("!") {
		r.op = absent
		r.key, err = p.name("a key")
		return r, err
	}
	if r.key, err = p.name("a key"); err != nil {
		return r, err
	}
	switch {
	case p.take("="), p.take("=="):
		r.op = in
		return p.oneValue(r)
	case p.take("!="):
		r.op = notIn
		return p.oneValue(r)
	case p.tok.kind == word && p.tok.text == "in":
		r.op = in
		return p.manyValues(r)
	case p.tok.kind == word && p.tok.text == "notin":
		r.op = notIn
		return p.manyValues(r)
	default:
		r.op = exists
		return r, nil
	}
}

func (p *parser) oneValue(r requirement) (requirement, error) {
	value, err := p.name("a value")
	r.values = []string{value}
	return r, err
}

func (p *parser) manyValues(r requirement) (requirement, error) {
	p.next() // the operator's name
	if !p.take("(") {
		return r, p.fault(`"("`)
	}
	for {
		value, err := p.name("a value")
		if err != nil {
			return r, err
		}
		r.values = append(r.values, value)
		if p.take(")") {
			return r, nil
		}
		if !p.take(",") {
			return r, p.fault(`"," or ")"`)
		}
	}
}

// name takes a key or a value.
func (p *parser) name(what string) (string, error) {
	tok := p.tok
	if tok.kind != word && tok.kind != quoted {
		return "", p.fault(what)
	}
	p.next()
	return tok.text, nil
}

// take takes the sign if it comes next.
func (p *parser) take(text string) bool {
	if p.tok.kind != sign || p.tok.text != text {
		return false
	}
	p.next()
	return true
}

// fault complains about the next token.
func (p *parser) fault(want string) error {
	found := show(p.tok.text)
	switch p.tok.kind {
	case end:
		found = "the end"
	case broken:
		found = p.tok.text
	}
	return apierr.Errorf(apierr.InvalidArgument,
		"labels: parse selector: at byte %d: want %s, found %s", p.tok.at, want, found)
}

// next reads the next token.
func (p *parser) next() {
	rest := strings.TrimLeftFunc(p.text[p.pos:], unicode.IsSpace)
	tok, n := scan(rest)
	tok.at = len(p.text) - len(rest)
	p.tok, p.pos = tok, tok.at+n
}

// scan returns the token that s, which has no blank in front, starts with and
// how many bytes it takes.
func scan(s string) (token, int) {
	switch {
	case s == "":
		return token{kind: end}, 0
	case s[0] == '"':
		literal, err := strconv.QuotedPrefix(s)
		if err != nil {
			return token{kind: broken, text: "a string that does not end or has a bad escape"}, 0
		}
		text, err := strconv.Unquote(literal)
		if err != nil {
			return token{kind: broken, text: "a bad string"}, 0
		}
		return token{kind: quoted, text: text}, len(literal)
	case strings.HasPrefix(s, "=="), strings.HasPrefix(s, "!="):
		return token{kind: sign, text: s[:2]}, 2
	case strings.IndexByte(",()=!", s[0]) >= 0:
		return token{kind: sign, text: s[:1]}, 1
	}
	n := strings.IndexFunc(s, notInWord)
	if n < 0 {
		n = len(s)
	}
	if n == 0 {
		return token{kind: broken, text: "a character that has to be quoted"}, 0
	}
	return token{kind: word, text: s[:n]}, n
}
