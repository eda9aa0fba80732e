package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/agb-go/sdk"

// rules are what each package, or all that a pattern stands for, may import.
type rules map[string][]string

func parseRules(text string) rules {
	r := rules{}
	for line := range strings.Lines(text) {
		if pkg, deps, ok := strings.Cut(line, ":"); ok {
			r[pkg] = strings.Fields(deps)
		}
	}
	return r
}

// of returns the rule for pkg, and under what name it is listed.
func (r rules) of(pkg string) (deps []string, name string, ok bool) {
	for _, name := range []string{pkg, path.Dir(pkg) + "/*"} {
		if deps, ok := r[name]; ok {
			return deps, name, true
		}
	}
	return nil, "", false
}

// source is a parsed file.
type source struct {
	name string
	test bool
	ast  *ast.File
}

// check returns what is wrong with the tree.
func check(tree fs.FS, r rules) (faults []string, err error) {
	packages := map[string][]source{}
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(tree, name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			faults = append(faults, fmt.Sprintf("%s: %d lines, at most %d are allowed", name, n, maxLines))
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		packages[pkg] = append(packages[pkg], source{name, strings.HasSuffix(name, "_test.go"), file})
		return nil
	})
	listed := map[string]bool{}
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		deps, name, ok := r.of(pkg)
		listed[name] = true
		if !ok {
			faults = append(faults, pkg+": unknown package: add it to the architecture")
		}
		faults = append(faults, checkPackage(pkg, packages[pkg], deps)...)
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if !listed[name] {
			faults = append(faults, name+": there is no such package: take it out of the architecture")
		}
	}
	return faults, err
}

// enter says to skip other modules and what the go command skips.
func enter(tree fs.FS, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func checkPackage(pkg string, sources []source, deps []string) (faults []string) {
	onlyTests := !slices.ContainsFunc(sources, func(s source) bool { return !s.test })
	documented := false
	for _, s := range sources {
		documented = documented || s.ast.Doc != nil && (!s.test || onlyTests)
		if name := strings.TrimSuffix(s.ast.Name.Name, "_test"); slices.Contains(badNames, name) {
			faults = append(faults, fmt.Sprintf("%s: the name %s says nothing: name it for what it provides", s.name, name))
		}
		for _, spec := range s.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil || !mayImport(imported, deps, s.test) {
				faults = append(faults, fmt.Sprintf("%s: %s must not import %s", s.name, pkg, spec.Path.Value))
			}
		}
	}
	if !documented {
		faults = append(faults, pkg+": no package comment")
	}
	return faults
}

// mayImport reports whether a file of a package with deps may import it.
func mayImport(imported string, deps []string, test bool) bool {
	if imported == module {
		return false
	}
	if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
		return test || slices.ContainsFunc(deps, func(dep string) bool {
			return dep == "*" || dep == ours || dep == path.Dir(ours)+"/*"
		})
	}
	switch first, _, _ := strings.Cut(imported, "/"); {
	case imported == "C":
		return false
	case first == "testing":
		return test || slices.Contains(deps, testingLeave)
	case !strings.Contains(first, "."):
		return true
	}
	within := func(mod string) bool { return imported == mod || strings.HasPrefix(imported, mod+"/") }
	return test && slices.ContainsFunc(testModules, within) ||
		slices.ContainsFunc(deps, func(dep string) bool { return outside[dep] != "" && within(outside[dep]) })
}
