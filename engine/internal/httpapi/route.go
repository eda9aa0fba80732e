package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/agb-go/sdk/apierr"
)

// unsupported are AGB's operations that the engine does not have, by pattern,
// with what they are for.
var unsupported = []struct{ pattern, what string }{
	{"POST /internet/getCdpLink", "browser sessions"},
	{"POST /browser/init", "browser sessions"},
	{"GET /sdk/ListContexts", "persistent contexts"},
	{"GET /sdk/GetContext", "persistent contexts"},
	{"POST /sdk/ModifyContext", "persistent contexts"},
	{"POST /sdk/DeleteContext", "persistent contexts"},
	{"POST /sdk/ClearContext", "persistent contexts"},
	{"POST /sdk/DeleteContextFile", "persistent contexts"},
	{"POST /sdk/DescribeContextFiles", "persistent contexts"},
}

// register makes op answer a pattern: a method, a space and a path.
func (a *API) register(pattern string, op operation) {
	method, path, _ := strings.Cut(pattern, " ")
	if a.routes[path] == nil {
		a.routes[path] = map[string]operation{}
	}
	a.routes[path][method] = op
}

// refuseUnsupported makes what is known but absent say so.
func (a *API) refuseUnsupported() {
	for _, u := range unsupported {
		a.register(u.pattern, func(w http.ResponseWriter, r *http.Request, _ caller) {
			fail(w, requestID(r), apierr.Errorf(apierr.Unsupported, "%s: unsupported: this engine has no %s", r.URL.Path, u.what))
		})
	}
}

// route finds the operation of a request by its exact path and method.
func (a *API) route(r *http.Request) (operation, *apierr.Error) {
	methods, ok := a.routes[r.URL.EscapedPath()]
	if !ok {
		return nil, apierr.Errorf(apierr.Unsupported, "unsupported: no operation has this path")
	}
	op, ok := methods[r.Method]
	if !ok {
		err := apierr.Errorf(apierr.Unsupported, "this method is not allowed for %s", r.URL.Path)
		err.HTTPStatus = http.StatusMethodNotAllowed
		return nil, err
	}
	return op, nil
}

// allowed lists the methods of a path.
func (a *API) allowed(path string) string {
	return strings.Join(slices.Sorted(maps.Keys(a.routes[path])), ", ")
}
