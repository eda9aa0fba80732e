package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/agb-go/sdk/engine"
)

// keyVariable holds an API key, for those who have no file of them.
const keyVariable = "AGB_SERVE_API_KEY"

// Bounds of the file that API keys are in.
const (
	maxKeyFile = 1 << 20
	maxKeys    = 1000
)

// loadKeys returns the API keys in a file, or the one in the environment when
// no file is named. None at all is an error, and so is one that the engine would
// not take.
func loadKeys(file string, getenv func(string) string) ([]string, error) {
	text := getenv(keyVariable)
	if file != "" {
		b, err := readKeyFile(file)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	var keys []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("an API key has a blank or a character that is not ASCII in it")
		}
		if len(line) < engine.MinKeyBytes {
			return nil, fmt.Errorf("an API key has %d bytes, at least %d are needed", len(line), engine.MinKeyBytes)
		}
		keys = append(keys, line)
	}
	switch {
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%d API keys, at most %d are allowed", len(keys), maxKeys)
	case len(keys) == 0 && file != "":
		return nil, fmt.Errorf("there is no API key in %s: write one a line, for example from \"openssl rand -hex 24\"", file)
	case len(keys) == 0:
		return nil, fmt.Errorf("%w: there is no API key: give --api-key-file FILE or set %s", errUsage, keyVariable)
	}
	return keys, nil
}

func readKeyFile(name string) (b []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err = io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if len(b) > maxKeyFile {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxKeyFile)
	}
	return b, err
}
