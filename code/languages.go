package code

import (
	"context"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// LanguageInfo is what is known of a language in a session.
type LanguageInfo struct {
	Language Language
	Aliases  []string
	// Available reports whether the session's image can run it. Version is then
	// what the interpreter says of itself, and Missing otherwise how to get one.
	Available        bool
	Version, Missing string
	// KeepsState reports whether there are contexts of it.
	KeepsState bool
}

// LanguageList is the outcome of [Client.Languages].
type LanguageList struct {
	Languages []LanguageInfo
	RequestID string
}

// Languages returns the languages that the server knows, and which of them this
// session can run: it asks their interpreters. AGB's hosted service does not
// tell: the error has code [apierr.Unsupported].
func (c *Client) Languages(ctx context.Context) (*LanguageList, error) {
	all, meta, err := transport.Do(ctx, c.t, wire.ListLanguages, wire.SessionQuery{SessionID: c.session})
	if err != nil {
		return nil, transport.Name(err, "code.Languages", c.session)
	}
	list := &LanguageList{RequestID: meta.RequestID}
	for _, l := range all.Languages {
		list.Languages = append(list.Languages, LanguageInfo{
			Language: Language(l.Name), Aliases: l.Aliases, Available: l.Available, Version: l.Version, Missing: l.Missing, KeepsState: l.State,
		})
	}
	return list, nil
}
