package filesystem_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
)

const benchSize = 10 << 20

func BenchmarkTransfer(b *testing.B) {
	f := agbtest.NewSession(b).FileSystem
	text, random := make([]byte, benchSize), randomBytes(benchSize)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	bench := func(name string, size int, do func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, do())
			}
		})
	}
	bench("WriteText", benchSize, func() error { return second(f.WriteFile(b.Context(), "/tmp/text", text, nil)) })
	bench("WriteBytes", benchSize, func() error { return second(f.WriteFile(b.Context(), "/tmp/bytes", random, nil)) })
	write(b, f, "/tmp/bytes", random)
	bench("Read", benchSize, func() error { return second(f.ReadFile(b.Context(), "/tmp/bytes", nil)) })
	bench("Open", benchSize, func() error {
		file, err := f.Open(b.Context(), "/tmp/bytes", nil)
		if err != nil {
			return err
		}
		defer func() { require.NoError(b, file.Close()) }()
		_, err = io.Copy(io.Discard, file)
		return err
	})
	bench("WriteSmall", 1000, func() error { return second(f.WriteFile(b.Context(), "/tmp/small", text[:1000], nil)) })
	bench("ReadSmall", 1000, func() error { return second(f.ReadFile(b.Context(), "/tmp/small", nil)) })
}
