package spool

import (
	"errors"
	"os"
	"sync/atomic"
)

// FilesLimit is how many Files a program has at most. What would be in another
// stays in memory.
const FilesLimit = 256

// files is how many Files there are.
var files atomic.Int64

// File is a file for temporary data that has no name, so that nobody else can
// open it. Its methods are those of [os.File].
type File struct{ *os.File }

// NewFile makes a File, in the directory for temporary files. The caller closes
// it.
func NewFile() (_ *File, err error) {
	defer func() {
		if err != nil {
			files.Add(-1)
		}
	}()
	if files.Add(1) > FilesLimit {
		return nil, errors.New("spool: too many files")
	}
	file, err := os.CreateTemp("", "agb-output-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close() // the first error tells more
		return nil, err
	}
	return &File{file}, nil
}

// Close frees the file. It is called once.
func (f *File) Close() error {
	files.Add(-1)
	return f.File.Close()
}
