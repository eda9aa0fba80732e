package httpapi

import (
	"context"
	"errors"
	"sync"

	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

// listLanguages asks the interpreters in a session for their versions.
func (a *API) listLanguages(ctx context.Context, by caller, req wire.SessionQuery) (*wire.LanguageList, error) {
	all := kernel.Languages()
	list := &wire.LanguageList{Languages: make([]wire.CodeLanguage, len(all))}
	err := a.cfg.Engine.Do(ctx, by.tenant, req.SessionID, func(ctx context.Context, ws *Workspace) error {
		var asking sync.WaitGroup
		errs := make([]error, len(all))
		for i, l := range all {
			asking.Go(func() { list.Languages[i], errs[i] = ws.language(ctx, l) })
		}
		asking.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, fromInside(err)
	}
	return list, nil
}

// language tells of a language in the session.
func (ws *Workspace) language(ctx context.Context, l kernel.Language) (wire.CodeLanguage, error) {
	e := wire.CodeLanguage{Name: l.Name(), Aliases: append([]string{}, l.Aliases()...), State: l.KeepsState(), Available: true}
	version, err := l.Version(ctx, ws.Guest)
	var missing *kernel.MissingError
	if errors.As(err, &missing) {
		e.Available, e.Missing = false, missing.Install
		return e, nil
	}
	e.Version = version
	return e, err
}
