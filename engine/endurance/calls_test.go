//go:build linux && (amd64 || arm64)

package endurance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
)

const (
	callTimeout    = 10 * time.Second
	commandTimeout = 5 * time.Second
	notes          = "/tmp/notes" // what commands have said
)

// call makes a call and notes it.
func (c *crew) call(e event, f func(context.Context, *event) error) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	e.Start = c.history.now()
	err := f(ctx, &e)
	if e.Action == create {
		e.Outcome = outcomeOfCreate(err)
	} else {
		e.Outcome = outcomeOf(err)
	}
	if e.Outcome == refused || e.Outcome == unknown {
		e.Why = err.Error()
	}
	c.history.add(e)
	if e.Outcome == gone && e.Session != "" {
		c.forget(e.Session)
	}
	return e.Outcome
}

func (c *crew) create(key string) outcome {
	var made *agb.Session
	o := c.call(event{Action: create, Key: key, Group: groupOf(key)}, func(ctx context.Context, e *event) error {
		res, err := c.client.Create(ctx, &agb.CreateParams{
			ImageID: "host", IdempotencyKey: key, Labels: map[string]string{"key": key, "group": groupOf(key)},
		})
		if err == nil {
			made, e.Session = res.Session, res.Session.ID
		}
		return err
	})
	if made != nil && c.learn(made, key) {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		_, _ = made.Command.Run(ctx, mark(key), nil) // without it nobody finds its guest to kill it
	}
	return o
}

func (c *crew) get(id string) outcome {
	return c.call(event{Action: get, Session: id}, func(ctx context.Context, _ *event) error {
		_, err := c.client.Get(ctx, id)
		return err
	})
}

func (c *crew) list(group string) {
	c.call(event{Action: list, Group: group}, func(ctx context.Context, e *event) error {
		for s, err := range c.client.All(ctx, &agb.ListParams{Labels: map[string]string{"group": group}, Limit: 5}) {
			if err != nil {
				return err
			}
			e.Found = append(e.Found, s.ID)
		}
		return nil
	})
}

func (c *crew) run(s *known) {
	c.call(event{Action: run, Session: s.ID, Value: c.text()}, func(ctx context.Context, e *event) error {
		res, err := s.Command.Run(ctx, fmt.Sprintf("echo %s >>%s; echo %[1]s", e.Value, notes), &command.RunOptions{Timeout: commandTimeout})
		if err == nil {
			e.Got = res.Stdout
		}
		return err
	})
}

func (c *crew) audit(s *known) {
	c.call(event{Action: audit, Session: s.ID}, func(ctx context.Context, e *event) error {
		res, err := s.FileSystem.ReadFile(ctx, notes, nil)
		if err == nil {
			e.Found = strings.Fields(string(res.Content))
		}
		return err
	})
}

// write puts a file in place in one step.
func (c *crew) write(s *known, path string) {
	text := c.text()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if _, err := s.FileSystem.WriteFile(ctx, path+text, []byte(text), nil); err != nil {
		return // nothing has become of the file itself
	}
	c.call(event{Action: write, Session: s.ID, Path: path, Value: text}, func(ctx context.Context, _ *event) error {
		_, err := s.FileSystem.Move(ctx, path+text, path, nil)
		return err
	})
}

func (c *crew) read(s *known, path string) {
	c.call(event{Action: read, Session: s.ID, Path: path}, func(ctx context.Context, e *event) error {
		res, err := s.FileSystem.ReadFile(ctx, path, nil)
		if err == nil {
			e.Got = string(res.Content)
		}
		return err
	})
}

// extend has a session live on, or end at once.
func (c *crew) extend(s *known, what action) {
	lifetime := time.Hour
	if what == expire {
		lifetime = time.Millisecond
		c.forget(s.ID)
	}
	c.call(event{Action: what, Session: s.ID}, func(ctx context.Context, _ *event) error {
		_, err := s.Extend(ctx, lifetime)
		return err
	})
}

func (c *crew) pause(s *known) {
	c.call(event{Action: pause, Session: s.ID}, func(ctx context.Context, _ *event) error {
		_, err := s.Pause(ctx)
		return err
	})
}

func (c *crew) resume(s *known) outcome {
	return c.call(event{Action: resume, Session: s.ID}, func(ctx context.Context, _ *event) error {
		_, err := s.Resume(ctx)
		return err
	})
}

func (c *crew) remove(s *known) {
	c.forget(s.ID)
	c.call(event{Action: remove, Session: s.ID}, func(ctx context.Context, _ *event) error {
		_, err := s.Delete(ctx)
		return err
	})
}

// remembers asks the engine for all its records.
func (c *crew) remembers(ctx context.Context) error {
	for r, err := range c.client.AllRecords(ctx, &agb.RecordsOptions{Limit: 100}) {
		if err != nil {
			return err
		}
		c.history.records = append(c.history.records, record{r.ID, r.Labels["key"], r.Labels["group"]})
	}
	return nil
}
