// Package setup has the command's flags and prepares a run of the comparisons: its folder, the jobgate under test, and the
// description of the machine.
package setup

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options are the command's flags.
type Options struct {
	Rounds      int
	Length      time.Duration // of one measurement
	Connections int
	ServerCore  int
	LoadCore    int
	Only        string        // contestants whose name contains this, and the references
	Idle        int           // connections of idle and polling
	Every       time.Duration // of polling
	Things      int           // of fleet and jobs
	Fleet       time.Duration
	KeepAlive   string // of fleet
	Folder      string // of the run
	Jobgate     string // the binary
	Before      string // of -before
	After       string // of -after
	Keep        string // folder of stores with things, for the next run
	verbose     bool
}

// AddFlags defines the command's flags.
func (o *Options) AddFlags() {
	flag.IntVar(&o.Rounds, "rounds", 7, "rounds; in each, every contestant has one turn")
	flag.DurationVar(&o.Length, "duration", 5*time.Second, "length of one turn")
	flag.IntVar(&o.Connections, "connections", 64, "connections of the load")
	flag.IntVar(&o.ServerCore, "server-core", 0, "core of the server under test")
	flag.IntVar(&o.LoadCore, "load-core", 1, "core of the load and of upstreams")
	flag.StringVar(&o.Only, "only", "", "only contestants whose name contains this, and what they are compared with; store: only calls; mqtt: only parts; idle, polling: as in \"jobgate, TLS\"")
	flag.IntVar(&o.Idle, "idle", 20000, "idle, polling, mqtt: connections; several processes of each server share them if one may not open as many")
	flag.IntVar(&o.Things, "things", 1_000_000, "fleet: devices, each of which polls once a minute; jobs, store, compare: things in the job's group")
	flag.DurationVar(&o.Every, "every", time.Minute, "polling: interval of each connection's requests")
	flag.DurationVar(&o.Fleet, "fleet-duration", 5*time.Minute, "fleet: length of the run")
	flag.StringVar(&o.KeepAlive, "fleet-keep-alive", "100%", "fleet: share of polls that keep their connection open")
	flag.StringVar(&o.Before, "before", "", "compare, overload: the jobgate to compare with; documents, idle, polling: another to measure as well")
	flag.StringVar(&o.After, "after", "", "compare, overload: the jobgate under test, instead of one built from the tree")
	flag.StringVar(&o.Keep, "keep", "", "jobs, compare: folder that keeps the store with its things for the next run with as many things")
	flag.StringVar(&o.Jobgate, "jobgate", "", "use this jobgate instead of building one from the tree")
	flag.BoolVar(&o.verbose, "verbose", false, "print each turn on standard error")
}

// Check makes paths absolute and rejects invalid numbers.
func (o *Options) Check() error {
	for _, path := range []*string{&o.Before, &o.After, &o.Keep, &o.Jobgate} {
		if *path == "" {
			continue
		}
		if full, err := filepath.Abs(*path); err == nil {
			*path = full
		}
	}
	if o.Rounds < 1 || o.Things < 1 || o.Length < time.Second/10 || o.Connections < 1 || o.Idle < 1 {
		return errors.New("-rounds, -connections, -idle and -things are at least 1, -duration at least 100ms")
	}
	return nil
}

// Prepare creates the run's folder and builds jobgate into it, unless a flag names one.
func (o *Options) Prepare() error {
	folder, err := os.MkdirTemp("", "jobgate-peers-")
	if err != nil {
		return fmt.Errorf("cannot create a folder for the run: %w", err)
	}
	o.Folder = folder
	if err := os.Chmod(folder, 0o755); err != nil { // readable by nginx's worker
		return err
	}
	if err := os.Mkdir(filepath.Join(folder, "static"), 0o755); err != nil {
		return err
	}
	if o.Jobgate == "" {
		o.Jobgate = o.After
	}
	if o.Jobgate != "" {
		return nil
	}
	o.Jobgate = filepath.Join(folder, "jobgate")
	return build(o.Jobgate)
}

// Progress prints a progress message on standard error if -verbose is set.
func (o *Options) Progress(format string, args ...any) {
	if o.verbose {
		fmt.Fprintf(os.Stderr, strings.TrimSuffix(format, "\n")+"\n", args...)
	}
}

// Static returns the path of a file that nginx and the bare servers send.
func (o *Options) Static(name string) string { return filepath.Join(o.Folder, "static", name) }

// WrkLength is the length of wrk's turn, in whole seconds.
func (o *Options) WrkLength() time.Duration { return max(o.Length.Round(time.Second), time.Second) }
