package kernel

import (
	_ "embed" // the drivers
	"slices"
	"strings"
)

// Language is a language that kernels speak. The zero Language is none.
type Language struct{ spec *spec }

// Name returns the name of l, such as "python".
func (l Language) Name() string { return l.spec.name }

// KeepsState reports whether there are contexts of l.
func (l Language) KeepsState() bool { return !l.spec.stateless }

// spec is how to run a language.
type spec struct {
	name         string
	aliases      []string
	interpreters []string          // the first that the sandbox has is used
	install      string            // what to say when it has none
	args         []string          // after the interpreter
	env          []string          //
	files        map[string]string // to be there first, by path
	version      []string          // arguments with which it tells its version
	check        []string          // arguments with which it succeeds if it will do
	shell        string            // what runs the interpreter, which is its first argument
	prepare      func(string) string
	// explain says why code has failed, by the end of its error output, nil
	// when that does not tell.
	explain   func(code string, e ending, t *tail) *Error
	order     bool // its driver keeps the order between standard output and error
	calls     bool // its code can call functions
	stateless bool // each run is a program of its own
}

// What few cells of Python need, such as what is no plain text, are files of their
// own, because the driver starts faster without.
//
//go:embed drivers/python.py
var pythonDriver string

//go:embed drivers/python_rich.py
var pythonRich string

//go:embed drivers/python_text.py
var pythonText string

//go:embed drivers/python_chart.py
var pythonChart string

//go:embed drivers/python_ipython.py
var pythonIPython string

//go:embed drivers/python_magic.py
var pythonMagic string

//go:embed drivers/python_function.py
var pythonFunction string

//go:embed drivers/python_failure.py
var pythonFailure string

//go:embed drivers/python_beside.py
var pythonBeside string

//go:embed drivers/python_task.py
var pythonTask string

//go:embed drivers/python_change.py
var pythonChange string

//go:embed drivers/javascript.js
var javascriptDriver string

//go:embed drivers/Cell.java
var javaDriver string

//go:embed drivers/go.sh
var goDriver string

//go:embed drivers/r.R
var rDriver string

//go:embed drivers/bash.sh
var bashDriver string

// oneLine returns a shell's program, whose comments have lines of their own, as
// one line.
func oneLine(program string) string {
	var b strings.Builder
	for line := range strings.Lines(program) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			b.WriteString(strings.TrimSuffix(line, "\\") + " ")
		}
	}
	return b.String()
}

// javaFile is where the driver for Java is put: its interpreter takes a file.
const javaFile = "/tmp/.agb/Cell.java"

// R takes no argument as long as its driver, which it finds in a variable that
// the driver unsets.
const (
	rVariable = "AGB_KERNEL_R"
	rStart    = `eval(parse(text = Sys.getenv("` + rVariable + `")))`
)

var specs = []*spec{
	{
		name: "python", aliases: []string{"py", "python3"},
		interpreters: []string{"python3", "python"},
		install:      "put Python 3 into the image, on Debian with: apt-get install python3",
		args: []string{
			"-c", pythonDriver, "rich", pythonRich, "text", pythonText, "chart", pythonChart, "ipython", pythonIPython,
			"magic", pythonMagic, "function", pythonFunction, "failure", pythonFailure,
			"beside", pythonBeside, "task", pythonTask, "change", pythonChange,
		},
		version: []string{"--version"},
		env:     []string{"PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1", "MPLBACKEND=Agg"},
		order:   true,
		calls:   true,
	},
	{
		name: "javascript", aliases: []string{"js", "node", "nodejs"},
		interpreters: []string{"node", "nodejs"},
		install:      "put Node.js into the image, on Debian with: apt-get install nodejs",
		args:         []string{"--expose-internals", "-e", javascriptDriver},
		order:        true,
		calls:        true,
		version:      []string{"--version"},
	},
	{
		name: "typescript", aliases: []string{"ts"},
		interpreters: []string{"node", "nodejs"},
		install:      "put Node.js 22.13 or newer into the image, which takes types out of code",
		args:         []string{"--expose-internals", "-e", javascriptDriver},
		order:        true,
		calls:        true,
		env:          []string{"AGB_KERNEL_TYPESCRIPT=1", "NODE_NO_WARNINGS=1"},
		version:      []string{"--version"},
		check:        []string{"-e", "process.exit(require('module').stripTypeScriptTypes ? 0 : 1)"},
	},
	{
		name: "java", aliases: nil,
		interpreters: []string{"java"},
		install:      "put a Java development kit, 11 or newer, into the image, on Debian with: apt-get install default-jdk-headless",
		args: []string{
			"-Xmx512m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=64m", "-Xshare:auto",
			"-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8",
			"--add-opens", "java.base/java.io=ALL-UNNAMED", "--add-modules", "jdk.jshell,jdk.unsupported", javaFile,
		},
		files:   map[string]string{javaFile: javaDriver},
		version: []string{"-version"},
		check:   []string{"--add-modules", "jdk.jshell,jdk.compiler", "-version"}, // which a JRE has not
	},
	{
		name: "r", aliases: []string{"rscript"},
		interpreters: []string{"Rscript"},
		install:      "put R into the image, on Debian with: apt-get install r-base-core",
		args:         []string{"--vanilla", "-e", rStart},
		env: []string{
			rVariable + "=" + rDriver,
			"EDITOR=vi", "PAGER=cat", // which R wants to be set
		},
		version: []string{"--version"},
	},
	{
		name: "bash", aliases: []string{"sh", "shell"},
		interpreters: []string{"bash", "sh"},
		install:      "put a shell into the image, on Debian with: apt-get install bash",
		args:         []string{"-c", oneLine(bashDriver), "bash", "\n"},
		version:      []string{"--version"},
	},
	{
		name: "go", aliases: []string{"golang"},
		interpreters: []string{"go"},
		install:      "put the Go toolchain into the image, on Debian with: apt-get install golang",
		shell:        goDriver,
		env:          []string{"GOTOOLCHAIN=local"},
		version:      []string{"version"},
		prepare:      goProgram,
		explain:      goError,
		stateless:    true,
	},
}

// Lookup returns the language that name, in any case and with blanks around
// it, stands for.
func Lookup(name string) (Language, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, s := range specs {
		if s.name == name || slices.Contains(s.aliases, name) {
			return Language{s}, true
		}
	}
	return Language{}, false
}

// Aliases lists the other names of l.
func (l Language) Aliases() []string { return l.spec.aliases }

// Languages lists all languages.
func Languages() []Language {
	all := make([]Language, len(specs))
	for i, s := range specs {
		all[i] = Language{s}
	}
	return all
}

// Names lists the names of all languages.
func Names() []string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.name
	}
	return names
}
