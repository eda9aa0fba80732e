package kernel

import "strings"

// Bounds of each half of a MIME type.
const (
	maxMIMEMain = 41
	maxMIMESub  = 61
)

// The checks below are written out because a compiled regular expression would
// be made at the start of every guest, which is a copy of the whole program.

// isMIME reports whether s is a MIME type in lower case without parameters.
func isMIME(s string) bool {
	main, sub, ok := strings.Cut(s, "/")
	return ok && isMIMEPart(main, maxMIMEMain) && isMIMEPart(sub, maxMIMESub)
}

// isMIMEPart reports whether s is one half of a MIME type.
func isMIMEPart(s string, limit int) bool {
	if s == "" || len(s) > limit || !isAlphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && !strings.ContainsRune(".+-", rune(s[i])) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// isText reports whether what has the MIME type is text for people, or source.
func isText(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "image/svg+xml" || mime == "application/javascript"
}

// isJSON reports whether the MIME type is JSON, by name or by suffix.
func isJSON(mime string) bool {
	sub, ok := strings.CutPrefix(mime, "application/")
	return ok && (sub == "json" || strings.HasSuffix(sub, "+json"))
}
