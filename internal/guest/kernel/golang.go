package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// goImports are the packages that a piece of Go may use without importing them,
// by the names that it uses.
var goImports = map[string]string{
	"bufio": "bufio", "bytes": "bytes", "cmp": "cmp", "context": "context", "errors": "errors", "fmt": "fmt", "io": "io", "log": "log",
	"maps": "maps", "math": "math", "os": "os", "rand": newRand, "regexp": "regexp", "runtime": "runtime", "slices": "slices",
	"sort": "sort", "strconv": "strconv", "strings": "strings", "sync": "sync", "time": "time", "unicode": "unicode", "utf8": "unicode/utf8",
	"json": "encoding/json", "hex": "encoding/hex", "base64": "encoding/base64", "binary": "encoding/binary", "csv": "encoding/csv",
	"sha256": "crypto/sha256", "md5": "crypto/md5", "filepath": "path/filepath", "path": "path", "exec": "os/exec", "atomic": "sync/atomic",
	"http": "net/http", "url": "net/url", "big": "math/big", "bits": "math/bits", "iter": "iter", "heap": "container/heap",
}

// goFile is the name of the code in messages.
const goFile = "cell.go"

// goProgram returns code as a program: a whole one as it is; declarations with
// a main function, and statements, which become it, with the package clause and
// the imports that they lack. Lines keep their numbers. What cannot be parsed
// is returned as it is: the compiler says why.
func goProgram(code string) string {
	const clause, main, end = "package main;", "func main() {", "\n}\n"
	line := "//line " + goFile + ":1\n"
	fset := token.NewFileSet()
	if f, err := parser.ParseFile(fset, goFile, code, parser.PackageClauseOnly); err == nil && f.Name != nil {
		return line + code
	}
	// The imports come first, whatever the rest is.
	imports, rest := goSplit(code)
	for _, body := range []string{rest, main + rest + end} {
		f, err := parser.ParseFile(fset, goFile, clause+imports+body, 0)
		if err == nil && (body != rest || hasMain(f)) {
			return clause + missingImports(f) + "\n" + line + imports + body
		}
	}
	return clause + "\n" + line + imports + main + rest + end
}

// goSplit returns the lines with imports at the beginning of code, and the rest.
// Line ends take the other's place in each.
func goSplit(code string) (imports, rest string) {
	fset := token.NewFileSet()
	const clause = "package main;"
	f, err := parser.ParseFile(fset, goFile, clause+code, parser.ImportsOnly)
	if f == nil || len(f.Decls) == 0 || err != nil && len(f.Imports) == 0 {
		return "", code
	}
	cut := fset.Position(f.Decls[len(f.Decls)-1].End()).Offset - len(clause)
	if cut <= 0 || cut > len(code) {
		return "", code
	}
	return code[:cut] + ";", code[cut:]
}

func hasMain(f *ast.File) bool {
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && fn.Name.Name == "main"
	})
}

// newRand is the newer of two packages of one name, oldRand what only the older
// has.
const newRand = "math/rand/v2"

var oldRand = []string{"Int31", "Int31n", "Int63", "Int63n", "Intn", "NewSource", "Read", "Seed"}

// missingImports returns imports of the packages that f uses by a name that it
// does not have.
func missingImports(f *ast.File) string {
	have := map[string]bool{}
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		have[path] = true
	}
	var need []string
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		id, ok := sel.X.(*ast.Ident)
		path := goImports[nameOf(id)]
		if path == newRand && slices.Contains(oldRand, sel.Sel.Name) {
			path = "math/rand"
		}
		if ok && path != "" && slices.Contains(f.Unresolved, id) && !have[path] {
			have[path] = true
			need = append(need, path)
		}
		return true
	})
	var b strings.Builder
	for _, path := range need {
		b.WriteString(`import "` + path + `";`)
	}
	return b.String()
}

func nameOf(id *ast.Ident) string {
	if id == nil {
		return ""
	}
	return id.Name
}
