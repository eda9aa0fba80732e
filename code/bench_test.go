package code_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

// BenchmarkRun runs small cells in warm contexts.
func BenchmarkRun(b *testing.B) {
	for language, c := range map[code.Language]struct{ program, source string }{
		code.Python: {"python3", "1+1"}, code.JavaScript: {"node", "1+1"}, code.Bash: {"bash", "echo $((1+1))"},
	} {
		b.Run(string(language), func(b *testing.B) {
			needs(b, c.program)
			eng, err := engine.New(engine.Config{})
			require.NoError(b, err)
			defer func() { _ = eng.Close() }()
			client, err := agb.New(agb.WithTransport(eng.Transport()))
			require.NoError(b, err)
			res, err := client.Create(b.Context(), nil)
			require.NoError(b, err)
			s := res.Session
			for b.Loop() {
				_, err := s.Code.Run(b.Context(), language, c.source, nil)
				require.NoError(b, err)
			}
		})
	}
}
