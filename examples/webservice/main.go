// Command webservice runs its users' Python, each request in a sandbox of its
// own, with limits on everything a user could run away with.
//
//	go run ./examples/webservice                        # asks itself three things and ends
//	go run ./examples/webservice -listen 127.0.0.1:8000 # serves until interrupted
//	curl -s 127.0.0.1:8000/run --data 'print(6 * 7)'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

func main() {
	listen := flag.String("listen", "", "address to serve on until interrupted; empty: ask itself three things and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *listen); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, listen string) error {
	eng, err := engine.New(engine.Config{MaxSessions: 2 * maxRunning})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}

	demo := listen == ""
	if demo {
		listen = "127.0.0.1:0"
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           newHandler(client),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      runTimeout + 20*time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	fmt.Fprintf(w, "serving on http://%s\n", ln.Addr())

	if demo {
		err = askItself(ctx, w, "http://"+ln.Addr().String())
	} else {
		<-ctx.Done()
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(shutdown))
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// askItself sends a well-behaved program, a failing one and an endless one.
func askItself(ctx context.Context, w io.Writer, base string) error {
	for _, program := range []string{
		"print('the answer is', 6 * 7)",
		"open('/root/.ssh/id_rsa')",
		"while True: pass",
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/run", strings.NewReader(program))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		fmt.Fprintf(w, "\n> %s\n%d %s", program, resp.StatusCode, body)
	}
	return nil
}
