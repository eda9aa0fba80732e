package wire

import "time"

// Contexts: interpreters that keep their state from one run of code to the next.
// They are ours.
var (
	// OpenContext makes a context. Its interpreter starts with its first run.
	OpenContext = Op[OpenContextRequest, CodeContext]{Name: "OpenContext", Pattern: "POST /v1/contexts/open", Ours: true}
	// ListContexts tells of a session's contexts, the oldest first: also of those
	// of runs that name none, of which each language has one. It does not count
	// as activity.
	ListContexts = Op[SessionQuery, ContextList]{Name: "ListCodeContexts", Pattern: "GET /v1/contexts", Repeatable: true, Ours: true}
	// RestartContext ends a context's interpreter, and with it the run under way.
	// The next run starts another.
	RestartContext = Op[ContextRequest, Empty]{Name: "RestartContext", Pattern: "POST /v1/contexts/restart", Ours: true}
	// InterruptContext interrupts the run under way, as Ctrl-C would. It does
	// nothing where there is none.
	InterruptContext = Op[ContextRequest, Empty]{Name: "InterruptContext", Pattern: "POST /v1/contexts/interrupt", Ours: true}
	// CloseContext ends a context, and with it the run under way.
	CloseContext = Op[ContextRequest, Empty]{Name: "CloseContext", Pattern: "POST /v1/contexts/close", Ours: true}
	// ListLanguages tells which languages a session's image can run.
	ListLanguages = Op[SessionQuery, LanguageList]{Name: "ListLanguages", Pattern: "GET /v1/code/languages", Repeatable: true, Ours: true}
)

// OpenContextRequest says which context to make.
type OpenContextRequest struct {
	SessionID string            `json:"sessionId"`
	Language  string            `json:"language"`
	Name      string            `json:"name,omitempty"` // for people; need not be unique
	Dir       string            `json:"dir,omitempty"`  // where it starts; empty: the home directory
	Env       map[string]string `json:"env,omitempty"`
}

// ContextRequest names a context.
type ContextRequest struct {
	SessionID string `json:"sessionId"`
	ContextID string `json:"contextId"`
}

// ContextList is a session's contexts.
type ContextList struct {
	Contexts []CodeContext `json:"contexts"`
}

// CodeContext is what is known of a context.
type CodeContext struct {
	ID       string    `json:"contextId"`
	Language string    `json:"language"`
	Name     string    `json:"name,omitempty"`
	Dir      string    `json:"dir,omitempty"`
	Default  bool      `json:"default,omitempty"` // it is that of runs that name none
	Busy     bool      `json:"busy,omitempty"`    // a run is under way
	Created  time.Time `json:"createdAt"`
}

// LanguageList is the languages that a server knows.
type LanguageList struct {
	Languages []CodeLanguage `json:"languages"`
}

// CodeLanguage is a language in a session's image.
type CodeLanguage struct {
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases"`
	Available bool     `json:"available"`
	Version   string   `json:"version,omitempty"` // as its interpreter says
	Missing   string   `json:"missing,omitempty"` // how to get what is missing
	State     bool     `json:"keepsState"`        // whether there are contexts of it
}
