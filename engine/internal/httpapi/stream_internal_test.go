package httpapi

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A client that takes in nothing holds a stream up for so long and no longer,
// and one whose stream is over for the time of its parting.
func TestTimedConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer func() { require.NoError(t, client.Close()) }()
		c := &timedConn{Conn: server, timeout: time.Minute}
		begin := time.Now()
		go func() {
			time.Sleep(time.Minute - 1)
			_, _ = client.Read(make([]byte, 1))
		}()
		_, err := c.Write([]byte("x"))
		require.NoError(t, err)
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 2*time.Minute-1, time.Since(begin))

		c.cut()
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 2*time.Minute-1, time.Since(begin))

		c.parting(time.Second)
		c.cut()
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 2*time.Minute-1+time.Second, time.Since(begin))
		require.NoError(t, c.Close())
	})
}
