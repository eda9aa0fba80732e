package spool

import (
	"errors"
	"os"
	"sync/atomic"
)

// FilesLimit is how many there are of [Files]. What would be in another stays in
// memory.
const FilesLimit = 256

// Files are files for one purpose, of which a program has a limited number. The
// zero Files has none.
type Files struct{ open atomic.Int64 }

// File is a file for temporary data that has no name, so that nobody else can
// open it. Its methods are those of [os.File].
type File struct {
	*os.File
	of *Files
}

// New makes a File, in the directory for temporary files. The caller closes it.
func (f *Files) New() (_ *File, err error) {
	defer func() {
		if err != nil {
			f.open.Add(-1)
		}
	}()
	if f.open.Add(1) > FilesLimit {
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
	return &File{file, f}, nil
}

// Close frees the file. It is called once.
func (f *File) Close() error {
	f.of.open.Add(-1)
	return f.File.Close()
}
