package fleet_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
	"jobgate/gateway/jobs/rules"
)

// binary is the path of the command that TestMain builds.
var binary string

func TestMain(m *testing.M) {
	os.Exit(gatetest.Main(func(built string) int {
		binary = built
		if err := flag.Set("test.parallel", "12"); err != nil { // most wait for a lease to expire
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}))
}

// faults returns how often a fault happens.
func faults() int {
	if n, err := strconv.Atoi(os.Getenv("JOBGATE_FLEET_FAULTS")); err == nil {
		return n
	}
	return 1
}

// grace is how much later than the design's limit an event may happen. It is longer on a machine that may be busy.
var grace = map[bool]time.Duration{true: 10 * time.Second, false: 2 * time.Minute}[os.Getenv("JOBGATE_TEST_QUIET_CLOCK") != ""]

// reportPause is how long a load's worker waits between two reports, because other tests use the machine too.
const reportPause = 3 * time.Millisecond

// fleet is a set of gateways on one database.
type fleet struct {
	*testing.T
	url      string                     // the database's, for the gateways
	program  string                     // run by added gateways; "": binary
	gateways []*gateway                 // all that were added
	targets  atomic.Pointer[[]*gateway] // where requests are sent
	service  *operations.Service        // the test's own, without background work
	engine   *postgres.Engine
}

// gateway is a process and the configuration to restart it.
type gateway struct {
	t         *testing.T
	program   string
	config    string
	env       []string // added to the usual environment
	mu        sync.Mutex
	processes []*gatetest.Process // the last one is current
	addresses map[string]string   // of the last process's listeners
}

// startServer starts a PostgreSQL server that flushes to disk, and creates a database. The test runs in parallel.
func startServer(t *testing.T) (*pgtest.Server, string) {
	t.Helper()
	t.Parallel()
	s, err := pgtest.Start(os.TempDir(), false)
	pgtest.Require(t, err)
	t.Cleanup(s.Remove)
	return s, s.Database(t, "jobgate")
}

// newFleet starts n gateways that use the database at url. The test itself uses the URL direct. settings are added to jobs.
func newFleet(t *testing.T, n int, url, direct string, settings ...string) *fleet {
	t.Helper()
	f := &fleet{T: t, url: url}
	var err error
	// The test's own calls have a long time-out, for a busy machine.
	if f.engine, err = postgres.Open(t.Context(), postgres.Options{URL: direct, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.engine.Close() })
	f.service, err = operations.New(operations.Config{Store: rules.Over(f.engine), Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		f.add("", settings)
	}
	f.sendTo(f.gateways...)
	return f
}

// add starts another gateway. settings are added to its configuration, jobsSettings to jobs in it, and env to its environment.
func (f *fleet) add(settings string, jobsSettings []string, env ...string) *gateway {
	f.Helper()
	folder := f.TempDir()
	text := "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ncontrol: 127.0.0.1:0\ndrain: {delay: 0s}\njobs: {enabled: true, store: \"" + f.url + "\", store_timeout: 2s" + strings.Join(append([]string{""}, jobsSettings...), ", ") + "}\n" + settings
	g := &gateway{t: f.T, program: cmp.Or(f.program, binary), config: gatetest.WriteFile(f, folder, "jobgate.yaml", text), env: env}
	f.gateways = append(f.gateways, g)
	g.start()
	return g
}

func (g *gateway) start() {
	g.t.Helper()
	p := gatetest.Start(g.t, gatetest.Command(g.program, filepath.Dir(g.config), g.env, "serve", "--config", g.config))
	at := p.Addresses()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.processes, g.addresses = append(g.processes, p), at
}

// process returns the process that was started last.
func (g *gateway) process() *gatetest.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.processes[len(g.processes)-1]
}

// end ends the process with a signal and waits until it has exited.
func (g *gateway) end(s syscall.Signal) { g.process().End(s) }

// log returns the log of all the gateway's processes.
func (g *gateway) log() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var text strings.Builder
	for _, p := range g.processes {
		text.WriteString(p.Log.String())
	}
	return text.String()
}

// at returns the address of a listener, "" if it is off.
func (g *gateway) at(listener string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addresses[listener]
}

var client = &http.Client{Timeout: 5*time.Second + grace, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func get(url string) (status int, body string, header http.Header) {
	r, err := client.Get(url) //nolint:noctx // the client has a time-out
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = r.Body.Close() }()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text), r.Header
}

// holdsLease reports whether the gateway does the background work.
func (g *gateway) holdsLease() bool {
	_, body, _ := get("http://" + g.at("admin") + "/metrics")
	return strings.Contains(body, `jobgate_lease_held{work="jobs"} 1`)
}

// holder waits until exactly one of the gateways holds the lease, at most within+grace, and returns it.
func (f *fleet) holder(within time.Duration, among ...*gateway) *gateway {
	f.Helper()
	var holding []*gateway
	for deadline := time.Now().Add(within + grace); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		holding = nil
		for _, g := range among {
			if g.holdsLease() {
				holding = append(holding, g)
			}
		}
		if len(holding) == 1 {
			return holding[0]
		}
	}
	f.Fatalf("%d gateways hold the lease after %v, want 1", len(holding), within+grace)
	return nil
}

// job creates a job for n new things, and returns the things. Their executions may be queued later.
func (f *fleet) job(id string, n int) (things []string) {
	f.Helper()
	var list []jobs.Thing
	var targets []string
	for i := range n {
		name := fmt.Sprintf("%s-%d", id, i)
		things = append(things, name)
		targets = append(targets, f.service.Names().ThingARN(name))
		list = append(list, jobs.Thing{Name: name, ID: name, Version: 1, CreatedAt: time.Now().UTC()})
	}
	if err := rules.Over(f.engine).CreateThings(context.Background(), list); err != nil {
		f.Fatal(err)
	}
	if _, err := f.service.CreateJob(context.Background(), time.Now(), jobs.CreateJobRequest{ID: id, Document: "{}", Targets: targets}); err != nil {
		f.Fatal(err)
	}
	return things
}

// load keeps updating a job's executions on any gateway until stop is called.
type load struct {
	f        *fleet
	job      string
	things   []string
	answered []atomic.Int64 // by thing: the last report that was answered 200
	good     atomic.Int64   // the number of reports that were answered 200
	lastGood atomic.Int64   // when the last one was, in ns
	refused  atomic.Int64   // the number of reports that were answered 503
	wrong    atomic.Pointer[string]
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

func (f *fleet) load(id string, workers, each int) *load {
	f.Helper()
	l := &load{f: f, job: id, things: f.job(id, workers*each), answered: make([]atomic.Int64, workers*each)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for w := range workers {
		l.wg.Go(func() {
			for n := int64(1); l.ctx.Err() == nil; n++ {
				i := w*each + rand.IntN(each)
				l.report(i, n)
				time.Sleep(reportPause)
			}
		})
	}
	f.Cleanup(l.stop)
	return l
}

func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

// sendTo sets the gateways to which requests are sent. A load may be running.
func (f *fleet) sendTo(gateways ...*gateway) { f.targets.Store(&gateways) }

// post updates an execution on one of the gateways of sendTo.
func (f *fleet) post(thing, job, body string) (int, string, http.Header) {
	targets := *f.targets.Load()
	r, err := client.Post("http://"+targets[rand.IntN(len(targets))].at("listen")+"/things/"+thing+"/jobs/"+job, "application/json", strings.NewReader(body)) //nolint:noctx // the client has a time-out
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = r.Body.Close() }()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text), r.Header
}

func (l *load) report(i int, n int64) {
	status, body, header := l.f.post(l.things[i], l.job, fmt.Sprintf(`{"status":"IN_PROGRESS","statusDetails":{"n":"%d"}}`, n))
	switch {
	case status == 200:
		l.answered[i].Store(n)
		l.good.Add(1)
		l.lastGood.Store(time.Now().UnixNano())
	case status == 0: // the gateway was killed
		time.Sleep(5 * time.Millisecond)
	case status == 503 && header.Get("Retry-After") != "":
		l.refused.Add(1)
		time.Sleep(5 * time.Millisecond)
	case status == 404 && n < 10: // not queued yet
		time.Sleep(20 * time.Millisecond)
	default:
		text := fmt.Sprintf("%d %s", status, body)
		l.wrong.Store(&text)
	}
}

// awaitReport waits until a report is answered, at most within+grace, and returns how long that took.
func (l *load) awaitReport(within time.Duration) time.Duration {
	l.f.Helper()
	begun := time.Now()
	for time.Since(begun) < within+grace {
		if l.lastGood.Load() > begun.UnixNano() {
			return time.Since(begun)
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.f.Fatalf("no report was answered 200 for %v", within+grace)
	return 0
}

// verify stops the load, and checks that the store has every acknowledged report. Then it completes the executions and the
// job.
func (l *load) verify() {
	f := l.f
	f.Helper()
	l.stop()
	if text := l.wrong.Load(); text != nil {
		f.Errorf("a report was answered %s", *text)
	}
	if l.good.Load() == 0 {
		f.Fatal("no report was answered 200")
	}
	ctx := context.Background()
	for i, thing := range l.things {
		var e jobs.ExecutionSummary
		var err error
		for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			if e, err = f.service.Execution(ctx, thing, l.job, 0); err == nil {
				break
			}
		}
		if err != nil {
			f.Fatal(err)
		}
		n, _ := strconv.ParseInt(e.Details.Map()["n"], 10, 64)
		if answered := l.answered[i].Load(); n < answered {
			f.Errorf("%s: report %d was answered 200, but report %d is stored (version %d)", thing, answered, n, e.Version)
		}
	}
	for _, thing := range l.things {
		deadline := time.Now().Add(10*time.Second + grace)
		for {
			status, body, _ := f.post(thing, l.job, `{"status":"SUCCEEDED"}`)
			if status == 200 || strings.Contains(body, "cannot become") { // it ended, but the answer was lost
				break
			}
			if time.Now().After(deadline) {
				f.Fatalf("cannot complete the execution of %s: %d %s", thing, status, body)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	f.awaitCompleted(l.job, 11*time.Second)
	f.checkStore()
	f.Logf("%d reports answered 200, %d answered 503", l.good.Load(), l.refused.Load())
}

// awaitCompleted waits until a job is completed, at most within+grace.
func (f *fleet) awaitCompleted(id string, within time.Duration) {
	f.Helper()
	begun := time.Now()
	var status string
	for time.Since(begun) < within+grace {
		d, err := f.service.DescribeJob(context.Background(), time.Now(), id)
		if err == nil {
			if status = d.Job.Status.String(); status == "COMPLETED" {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := json.Marshal(status)
	f.Errorf("job %s is %s after %v", id, text, within+grace)
}
