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

// spec is how to run a language. Each run takes the code either as its program
// or, where the interpreter cannot read that, as its standard input.
type spec struct {
	name         string
	aliases      []string
	interpreters []string          // the first that the sandbox has is used
	install      string            // what to say when it has none
	args         []string          // after the interpreter
	env          []string          //
	files        map[string]string // to be there first, by path
	stdin        bool              // whether the code is its standard input
	reports      bool              // whether it writes a report
}

//go:embed drivers/python.py
var pythonDriver string

//go:embed drivers/javascript.js
var javascriptDriver string

//go:embed drivers/Cell.java
var javaDriver string

//go:embed drivers/r.R
var rDriver string

// The driver for bash is one line, so that line numbers are those of the code.
// Expansion comes first: the code does not see the program's descriptor. An
// image may have a shell and nothing else.
//
//go:embed drivers/bash.sh
var bashDriver string

// javaFile is where the driver for Java is put: its interpreter takes a file.
const javaFile = "/tmp/.agb/Cell.java"

var specs = []*spec{
	{
		name: "python", aliases: []string{"py", "python3"},
		interpreters: []string{"python3", "python"},
		install:      "put Python 3 into the image, on Debian with: apt-get install python3",
		args:         []string{"-c", pythonDriver},
		env:          []string{"PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1", "MPLBACKEND=Agg"},
		reports:      true,
	},
	{
		name: "javascript", aliases: []string{"js", "node", "nodejs"},
		interpreters: []string{"node", "nodejs"},
		install:      "put Node.js into the image, on Debian with: apt-get install nodejs",
		args:         []string{"-e", javascriptDriver},
		reports:      true,
	},
	{
		name: "java", aliases: nil,
		interpreters: []string{"java"},
		install:      "put a Java development kit, 11 or newer, into the image, on Debian with: apt-get install default-jdk-headless",
		args: []string{
			"-Xmx512m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=64m", "-Xshare:auto",
			"-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8",
			"--add-opens", "java.base/java.io=ALL-UNNAMED", "--add-modules", "jdk.jshell", javaFile,
		},
		files:   map[string]string{javaFile: javaDriver},
		stdin:   true,
		reports: true,
	},
	{
		name: "r", aliases: []string{"rscript"},
		interpreters: []string{"Rscript"},
		install:      "put R into the image, on Debian with: apt-get install r-base-core",
		args:         []string{"--vanilla", "-e", rDriver},
		env:          []string{"EDITOR=vi", "PAGER=cat"}, // which R wants to be set
		stdin:        true,
		reports:      true,
	},
	{
		name: "bash", aliases: []string{"sh", "shell"},
		interpreters: []string{"bash", "sh"},
		install:      "put a shell into the image, on Debian with: apt-get install bash",
		args:         []string{"-c", bashDriver, "bash"},
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

// Names lists the languages.
func Names() []string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.name
	}
	return names
}
