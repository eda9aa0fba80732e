package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine"
)

const serveHelp = `Usage: agb serve --api-key-file FILE [options]

Serves the AGB protocol: sessions of AGB SDKs run in sandboxes on this machine.
Point an SDK at it with AGB_ENDPOINT=http://ADDRESS and one of the keys in
AGB_API_KEY. Each key sees its own sessions alone.

Options:
  --listen ADDRESS      host and port to listen on; port 0 takes a free one
                        (default 127.0.0.1:8787)
  --api-key-file FILE   API keys to accept, one a line; lines that start with #
                        are comments. Without it AGB_SERVE_API_KEY is the key.
                        Keys need at least 16 bytes.
  --public-url URL      scheme and host of the links that clients are given
                        (default: as the client reached the server)
  --idle-timeout D      release a session that was idle for so long, unless the
                        client asks for another time (default 5m)
  --max-lifetime D      end a session after so long, and let clients ask for no
                        more (default 30m)
  --max-sessions N      how many sessions there may be at once (default 1000)
  --memory-budget SIZE  what the memory limits of all sessions may add up to
                        (default: no such sum; sessions are refused while the
                        machine has little memory left)
  --limit NAME=N,...    limits of a session that asks for no others: memory,
                        milli-cpu, processes, open-files, file, data, disk,
                        inodes; sizes may end in K, M or G
                        (default memory=512M,milli-cpu=1000,processes=128,
                        open-files=1024,file=512M,data=1G,disk=512M,inodes=100000)
  --max-limit NAME=N,.. the most that a session may ask for (default: the limits)
  --require LAYER,...   make no session in which one of these is not verified to
                        be active; "agb doctor" lists them, and "none" is none
                        (default namespaces,capabilities,no_new_privs,seccomp)
  --pool [IMAGE=]N      keep so many sandboxes of an image ready (default none;
                        image host); may be given again for other images
  --pool-code LANG,...  start interpreters of these languages in them ahead
  --state-dir DIR       keep the records of sessions there, so that they survive
                        the server (default: in memory)
  --verbose             log each call

The protocol is spoken in plain HTTP. Listen on loopback, or put a server in
front of it that speaks TLS.

SIGINT and SIGTERM end the server: it takes no more calls, destroys every
session and exits.
`

// Bounds of connections. A call itself may take as long as its command does.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	graceTimeout   = 10 * time.Second // for calls under way, once their sessions are gone
)

// serveOptions are the options of the command.
type serveOptions struct {
	listen, keyFile string
	verbose         bool
	engine          engine.Config
}

func serveFlags(args []string) (o serveOptions, err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8787", "")
	flags.StringVar(&o.keyFile, "api-key-file", "", "")
	flags.StringVar(&o.engine.PublicURL, "public-url", "", "")
	flags.DurationVar(&o.engine.IdleTimeout, "idle-timeout", engine.DefaultIdleTimeout, "")
	flags.DurationVar(&o.engine.MaxLifetime, "max-lifetime", engine.DefaultMaxLifetime, "")
	flags.IntVar(&o.engine.MaxSessions, "max-sessions", engine.DefaultMaxSessions, "")
	flags.Var(quantityFlag{&o.engine.MemoryBudget}, "memory-budget", "")
	flags.Var(limitsFlag{&o.engine.Limits}, "limit", "")
	flags.Var(limitsFlag{&o.engine.MaxLimits}, "max-limit", "")
	flags.Var(requireFlag{&o.engine.Require}, "require", "")
	o.engine.Pool = map[string]int{}
	flags.Var(poolFlag{o.engine.Pool}, "pool", "")
	flags.Var(listFlag{&o.engine.PoolCode}, "pool-code", "")
	flags.StringVar(&o.engine.StateDir, "state-dir", "", "")
	flags.BoolVar(&o.verbose, "verbose", false, "")
	if err := parse(flags, args); err != nil {
		return o, err
	}
	if o.engine.IdleTimeout <= 0 || o.engine.MaxLifetime <= 0 || o.engine.MaxSessions <= 0 {
		return o, fmt.Errorf("%w: timeouts and the number of sessions have to be positive", errUsage)
	}
	return o, nil
}

func serve(ctx context.Context, env environment, args []string) error {
	o, err := serveFlags(args)
	if err != nil {
		return err
	}
	if err := hide(); err != nil {
		return err
	}
	if o.engine.APIKeys, err = loadKeys(o.keyFile, env.getenv); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	var address *net.AddrError
	if errors.As(err, &address) {
		return fmt.Errorf("%w: --listen: %w", errUsage, err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed already unless serving never began
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	o.engine.Logger = slog.New(slog.NewJSONHandler(env.stderr, &slog.HandlerOptions{Level: level}))
	eng, err := engine.New(o.engine)
	if errors.Is(err, apierr.InvalidArgument.Err()) { // the options are all that it was given
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err != nil {
		return err
	}
	say(env.stdout, fmt.Sprintf("listening on http://%s\n", listener.Addr()))
	return errors.Join(serveUntil(ctx, listener, eng, o.engine.Logger), eng.Close())
}

// serveUntil serves eng until ctx ends.
func serveUntil(ctx context.Context, listener net.Listener, eng *engine.Engine, log *slog.Logger) error {
	server := &http.Server{
		Handler:           eng.Handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down")
	// Once the sessions are gone no call has anything left to wait for.
	err := eng.Close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTimeout)
	defer cancel()
	if shutdownErr := server.Shutdown(grace); shutdownErr != nil {
		err = errors.Join(err, shutdownErr, server.Close())
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
