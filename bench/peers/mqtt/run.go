package mqtt

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// group is the group of all things that connect, and the prefix of their names.
const group = "mqtt-"

// run is a comparison in progress.
type run struct {
	*setup.Options
	sts   string // URL
	store string // a database with the things, copied for each part
	files int    // limit on a process's open files
}

// Compare runs all parts of the comparison. -only selects parts by name.
func Compare(ctx context.Context, o *setup.Options) error {
	sts := httptest.NewServer(http.HandlerFunc(account.AssumeRole))
	defer sts.Close()
	files, err := process.RaiseFiles(uint64(o.Idle))
	if err != nil {
		return err
	}
	r := &run{Options: o, sts: sts.URL, store: filepath.Join(o.Folder, "things.db"), files: int(files)}
	if err := certificates.WriteServer(o.Folder); err != nil {
		return err
	}
	if err := r.register(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"rate", r.rate}, {"plain", r.plain}, {"TLS", r.secure}, {"told", r.notified}, {"delay", r.delay}, {"gateways", r.gateways}} {
		if !strings.Contains(part.name, o.Only) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// register creates the store with the things.
func (r *run) register(ctx context.Context) error {
	begun := time.Now()
	g, err := gate.Start(ctx, r.Options, server.Settings{Store: r.store, Unpinned: true}, r.sts)
	if err != nil {
		return err
	}
	defer g.Stop()
	if err := g.FillGroups(ctx, map[string]int{group: r.Idle}); err != nil {
		return err
	}
	r.Progress("things registered in %s", time.Since(begun).Round(time.Millisecond))
	return nil
}

// start starts a gateway on the store in s, or on a copy of r.store if s has none.
func (r *run) start(ctx context.Context, s server.Settings) (*gate.Gate, error) {
	if s.WithMQTT = true; s.Store == "" {
		s.Store = filepath.Join(r.Folder, fmt.Sprintf("mqtt-%d.db", time.Now().UnixNano()))
		if err := gate.CopyStore(s.Store, r.store); err != nil {
			return nil, err
		}
	}
	return gate.Start(ctx, r.Options, s, r.sts)
}

// digits is the number of digits at the end of things' names.
func (r *run) digits() int { return len(strconv.Itoa(r.Idle - 1)) }

// processes returns how many processes of each server share the connections, and how many connections each has. A gateway
// reserves files for its other listeners, its store and its upstreams: its MQTT listener gets three eighths of the limit.
func (r *run) processes() (n, each int) {
	n = (r.Idle + r.files*3/8 - 1) / (r.files * 3 / 8)
	return n, r.Idle / n
}

// head prints the title with the number of connections, and how they are shared.
func (r *run) head(title string) {
	n, each := r.processes()
	fmt.Printf("## %d %s\n\n", n*each, title)
	if n > 1 {
		fmt.Printf("A process may open %d files here (ulimit -Hn), and jobgate gives its MQTT listener a part of them, so %d processes of each server share the connections.\n\n", r.files, n)
	}
}

// copyStore copies the store with the things to the one at url.
func (r *run) copyStore(ctx context.Context, url string) error {
	path := filepath.Join(r.Folder, "moved.db") // "store copy" fences its source, so it gets a copy
	if err := gate.CopyStore(path, r.store); err != nil {
		return err
	}
	text, err := exec.CommandContext(ctx, r.Jobgate, "store", "copy", "--from", path, "--to", url).CombinedOutput()
	if err != nil {
		return fmt.Errorf("jobgate store copy: %w\n%s", err, text)
	}
	return nil
}
