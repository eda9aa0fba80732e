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
		require.NoError(t, c.take(t.Context(), 0, nil))
		var order []int
		for i := range 8 {
			go func() {
				if err := c.take(t.Context(), 0, nil); err != nil {
					t.Error(err)
					return
				}
				defer c.turns.give()
				order = append(order, i)
			}()
			synctest.Wait() // until it waits
		}
		require.Empty(t, order)
		require.ErrorIs(t, c.take(t.Context(), time.Second, nil), ErrBusy)
		c.turns.give()
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, order)
	})
}

// Who gives up has no turn, and keeps none from the others.
func TestTurnsThatAreGivenUp(t *testing.T) {
	var turns turns
	first, second, third := turns.ask(), turns.ask(), turns.ask()
	<-first
	turns.leave(second)
	turns.give()
	<-third
	fourth := turns.ask()
	turns.leave(third) // which had come
	<-fourth
	require.True(t, turns.busy())
	turns.give()
	require.False(t, turns.busy())
	<-turns.ask()
}
