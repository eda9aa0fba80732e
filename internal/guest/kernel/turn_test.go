package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Who waits for a turn gets it in the order of coming.
func TestTurnsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		language, _ := Lookup("python")
		c := NewContext(nil, language, "", nil)
		require.NoError(t, c.take(t.Context(), 0))
		var order []int
		for i := range 8 {
			go func() {
				if err := c.take(t.Context(), 0); err != nil {
					t.Error(err)
					return
				}
				defer c.give()
				order = append(order, i)
			}()
			synctest.Wait() // until it waits
		}
		require.Empty(t, order)
		require.ErrorIs(t, c.take(t.Context(), time.Second), ErrBusy)
		c.give()
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, order)
	})
}
