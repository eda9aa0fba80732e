package httpapi

import "log/slog"

// Routes returns the method and the path of every route of what the engine has.
func Routes() (routes []string) {
	absent := map[string]bool{}
	for _, u := range unsupported {
		absent[u.pattern] = true
	}
	a := New(Config{Logger: slog.New(slog.DiscardHandler)})
	for path, methods := range a.routes {
		for method := range methods {
			if pattern := method + " " + path; !absent[pattern] {
				routes = append(routes, pattern)
			}
		}
	}
	return routes
}

// Tools returns the name of every tool.
func Tools() (names []string) {
	for _, entry := range New(Config{Logger: slog.New(slog.DiscardHandler)}).tools.entries {
		names = append(names, entry.Name)
	}
	return names
}

// MaxLifetime is the longest lifetime that clients may ask for.
const MaxLifetime = maxLifetime
