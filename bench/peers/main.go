// Command peers compares jobgate with what else there is, on one machine: the servers
// take turns on one core, and the load comes from the other.
//
//	go run -C bench/peers .              the comparisons: http, url, template
//	go run -C bench/peers . generator    jobgate bench beside wrk
//	go run -C bench/peers . idle         memory per idle connection, latency meanwhile
//	go run -C bench/peers . polling      the same of connections that ask once a minute
//	go run -C bench/peers . handshakes   TLS handshakes per second, and their CPU time
//	go run -C bench/peers . documents    1 to 100,000 documents, asked for at random
//	go run -C bench/peers . fleet        1,000,000 devices that poll once a minute
//	go run -C bench/peers . jobs         the IoT Jobs service, a job on 1,000,000 things
//	go run -C bench/peers . store        the same on PostgreSQL, beside pgbench and SQLite
//	go run -C bench/peers . overload     up to three times what one core can serve
//	go run -C bench/peers . -before PATH compare   two jobgates: the server's CPU time a request
//
//	build jobgate ─▶ start servers (taskset: server core) ─▶ rounds in turns ─▶ medians, ratios
//	                 conf/*: jobgate.yaml, nginx-*.conf      wrk (taskset: load core)
//
// It is a module of its own, so that its rivals stay out of jobgate's go.mod. What it
// prints is Markdown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	rounds      int
	length      time.Duration // of one measurement
	connections int
	serverCore  int
	loadCore    int
	only        string        // contestants whose name contains this, and the references
	idle        int           // connections of idle and polling
	every       time.Duration // of polling
	things      int           // of fleet and jobs
	fleet       time.Duration
	keepAlive   string // of fleet
	folder      string // of the run
	jobgate     string // the binary
	before      string // of compare
	after       string // of compare
	keep        string // folder of stores with things, for the next run
	verbose     bool
}

// comparison is one word of the command line.
type comparison struct {
	name   string
	always bool // also when no word is given
	run    func(context.Context, *options) error
}

// comparisons are all of them, in the order in which they run.
var comparisons = []comparison{
	{"http", true, compareHTTP},
	{"url", true, compareURL},
	{"template", true, compareTemplate},
	{"generator", false, compareGenerator},
	{"idle", false, compareIdle},
	{"polling", false, comparePolling},
	{"handshakes", false, compareHandshakes},
	{"documents", false, compareDocuments},
	{"fleet", false, runFleet},
	{"jobs", false, compareJobs},
	{"store", false, compareStore},
	{"overload", false, compareOverload},
	{"compare", false, compareBinaries},
}

func main() {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case servePeer:
			end(serve(os.Args[2:]))
		case loadPeer:
			end(runCertified(os.Args[2]))
		case holdPeer:
			end(runHolder(os.Args[2]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	stop()
	end(err)
}

// end ends the program, with its error if there is one.
func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// comparisonNames lists the words of the command line.
func comparisonNames() string {
	var all []string
	for _, c := range comparisons {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

func run(ctx context.Context) error {
	o := new(options)
	flag.IntVar(&o.rounds, "rounds", 7, "rounds, in each of which everybody has a turn")
	flag.DurationVar(&o.length, "duration", 5*time.Second, "length of one turn")
	flag.IntVar(&o.connections, "connections", 64, "connections of the load")
	flag.IntVar(&o.serverCore, "server-core", 0, "core of the server under test")
	flag.IntVar(&o.loadCore, "load-core", 1, "core of the load and of upstreams")
	flag.StringVar(&o.only, "only", "", "only contestants whose name contains this, and what they are compared with; store: only calls")
	flag.IntVar(&o.idle, "idle", 20000, "idle, polling: connections; several processes of each server share what one may not open")
	flag.IntVar(&o.things, "things", 1_000_000, "fleet: devices, each of which polls once a minute; jobs, store, compare: things in the job's group")
	flag.DurationVar(&o.every, "every", time.Minute, "polling: how often each connection asks")
	flag.DurationVar(&o.fleet, "fleet-duration", 5*time.Minute, "fleet: how long")
	flag.StringVar(&o.keepAlive, "fleet-keep-alive", "100%", "fleet: share of polls that leave their connection open")
	flag.StringVar(&o.before, "before", "", "compare, overload: the jobgate to compare with; documents: another to measure as well")
	flag.StringVar(&o.after, "after", "", "compare, overload: the jobgate that is compared, instead of one built from the tree")
	flag.StringVar(&o.keep, "keep", "", "jobs, compare: folder in which the store with its things is kept for the next run with as many")
	flag.StringVar(&o.jobgate, "jobgate", "", "use this jobgate instead of building one from the tree")
	flag.BoolVar(&o.verbose, "verbose", false, "print each turn on standard error")
	flag.Parse()
	words := flag.Args()
	for _, w := range words {
		if !slices.ContainsFunc(comparisons, func(c comparison) bool { return c.name == w }) {
			return fmt.Errorf("there is no comparison %q: %s", w, comparisonNames())
		}
	}
	for _, path := range []*string{&o.before, &o.after, &o.keep, &o.jobgate} {
		if *path == "" {
			continue
		}
		if full, err := filepath.Abs(*path); err == nil {
			*path = full
		}
	}
	if o.rounds < 1 || o.things < 1 || o.length < time.Second/10 || o.connections < 1 || o.idle < 1 {
		return errors.New("-rounds, -connections, -idle and -things are at least 1, -duration at least 100ms")
	}
	if err := o.prepare(); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.folder) }() // it is temporary anyway
	printMachine()
	for _, c := range comparisons {
		if len(words) == 0 && !c.always || len(words) > 0 && !slices.Contains(words, c.name) {
			continue
		}
		if err := c.run(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// prepare makes the run's folder and builds jobgate into it, unless there is one.
func (o *options) prepare() error {
	folder, err := os.MkdirTemp("", "jobgate-peers-")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the run: %w", err)
	}
	o.folder = folder
	if err := os.Chmod(folder, 0o755); err != nil { // for nginx's worker
		return err
	}
	if err := os.Mkdir(filepath.Join(folder, "static"), 0o755); err != nil {
		return err
	}
	if err := copyDocuments(folder); err != nil {
		return err
	}
	if o.jobgate == "" {
		o.jobgate = o.after
	}
	if o.jobgate != "" {
		return nil
	}
	o.jobgate = filepath.Join(folder, "jobgate")
	return buildJobgate(o.jobgate)
}

// progress says what is going on, on standard error.
func (o *options) progress(format string, args ...any) {
	if o.verbose {
		fmt.Fprintf(os.Stderr, strings.TrimSuffix(format, "\n")+"\n", args...)
	}
}
