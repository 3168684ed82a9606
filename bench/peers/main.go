// Command peers compares jobgate with alternatives on one machine: the servers take turns
// on one core, and the load comes from the other.
//
//	go run -C bench/peers .              the comparisons: http, url, template
//	go run -C bench/peers . generator    jobgate bench beside wrk
//	go run -C bench/peers . idle         memory per idle connection, latency meanwhile
//	go run -C bench/peers . polling      the same for connections with a request a minute
//	go run -C bench/peers . wake         the first request of a parked connection, beside others
//	go run -C bench/peers . floods       30,000 connections without a complete request, and devices
//	go run -C bench/peers . handshakes   TLS handshakes per second, and their CPU time
//	go run -C bench/peers . documents    1 to 100,000 documents, requested at random
//	go run -C bench/peers . fleet        1,000,000 devices that poll once a minute
//	go run -C bench/peers . jobs         the IoT Jobs service, a job on 1,000,000 things
//	go run -C bench/peers . store        the same on PostgreSQL, beside pgbench and SQLite
//	go run -C bench/peers . overload     up to three times what one core can serve
//	go run -C bench/peers . mqtt         devices over MQTT, beside mosquitto
//	go run -C bench/peers . -before PATH compare   two jobgates: the server's CPU time a request
//
//	build jobgate ─▶ start servers (taskset: server core) ─▶ rounds in turns ─▶ medians, ratios
//	                 server/conf/*: jobgate.yaml, nginx…     wrk (taskset: load core)
//
// The shared code is in setup, process, server, load, rounds and table; each of documents, connections, jobs, store and so
// on is one group of comparisons.
//
// peers is a separate module, so that the rivals stay out of jobgate's go.mod. Its output
// is Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/binaries"
	"jobgate/bench/peers/connections"
	"jobgate/bench/peers/documents"
	"jobgate/bench/peers/generator"
	"jobgate/bench/peers/jobs"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/micro"
	"jobgate/bench/peers/mqtt"
	"jobgate/bench/peers/overload"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/store"
)

// comparison is one word of the command line.
type comparison struct {
	name   string
	always bool // run even if no word is given
	run    func(context.Context, *setup.Options) error
}

// comparisons are all comparisons, in the order in which they run.
var comparisons = []comparison{
	{"http", true, documents.Compare},
	{"url", true, micro.URL},
	{"template", true, micro.Template},
	{"generator", false, generator.Compare},
	{"idle", false, connections.Idle},
	{"polling", false, connections.Polling},
	{"wake", false, connections.Wake},
	{"floods", false, connections.Floods},
	{"handshakes", false, connections.Handshakes},
	{"documents", false, documents.Many},
	{"fleet", false, documents.Fleet},
	{"jobs", false, jobs.Compare},
	{"store", false, store.Compare},
	{"overload", false, overload.Compare},
	{"mqtt", false, mqtt.Compare},
	{"compare", false, binaries.Compare},
}

func main() {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case bare.Word:
			end(bare.Serve(os.Args[2:]))
		case load.Word:
			end(load.RunCertified(os.Args[2]))
		case connections.Word:
			end(connections.RunHolder(os.Args[2]))
		case mqtt.Word:
			end(mqtt.RunPeer(os.Args[2]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	stop()
	end(err)
}

// end exits the program, and prints err if it is not nil.
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
	o := new(setup.Options)
	o.AddFlags()
	flag.Parse()
	words := flag.Args()
	for _, w := range words {
		if !slices.ContainsFunc(comparisons, func(c comparison) bool { return c.name == w }) {
			return fmt.Errorf("unknown comparison %q: it is one of %s", w, comparisonNames())
		}
	}
	if err := o.Check(); err != nil {
		return err
	}
	if err := o.Prepare(); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.Folder) }() // it is temporary anyway
	if err := server.CopyDocuments(o.Folder); err != nil {
		return err
	}
	setup.PrintMachine()
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
