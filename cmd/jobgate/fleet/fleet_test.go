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

// binary is the built command, made by TestMain.
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

// faults is how often a fault happens.
func faults() int {
	if n, err := strconv.Atoi(os.Getenv("JOBGATE_FLEET_FAULTS")); err == nil {
		return n
	}
	return 1
}

// late is how much later than the design says something may happen: on a machine that does little else, as in .ci/run, or
// on one that is busy.
var late = map[bool]time.Duration{true: 10 * time.Second, false: 2 * time.Minute}[os.Getenv("JOBGATE_TEST_QUIET_CLOCK") != ""]

// breath is how long a worker of a load waits between two reports: the machine is other tests' too.
const breath = 3 * time.Millisecond

// fleet is some gateways on one database.
type fleet struct {
	*testing.T
	url      string                     // as the gateways have it
	program  string                     // of gateways that are added; "": this one
	gateways []*gateway                 // all, fixed once newFleet returns
	asked    atomic.Pointer[[]*gateway] // those that requests go to
	service  *operations.Service        // of the test's own, which drives nothing
	engine   *postgres.Engine
}

// gateway is a process, and the configuration to start it again.
type gateway struct {
	t         *testing.T
	program   string
	config    string
	env       []string // beside the usual
	mu        sync.Mutex
	processes []*gatetest.Process // the last one runs, or has ended
	addresses map[string]string   // of the last process's listeners
}

// startServer starts a PostgreSQL that flushes to the disk, and makes a database. The test goes beside others.
func startServer(t *testing.T) (*pgtest.Server, string) {
	t.Helper()
	t.Parallel()
	s, err := pgtest.Start(os.TempDir(), false)
	pgtest.Require(t, err)
	t.Cleanup(s.Remove)
	return s, s.Database(t, "jobgate")
}

// newFleet starts n gateways that reach the database at url; direct is how the test itself does. settings are more of jobs.
func newFleet(t *testing.T, n int, url, direct string, settings ...string) *fleet {
	t.Helper()
	f := &fleet{T: t, url: url}
	var err error
	// The test's own calls prepare and verify: they wait as long as a busy machine takes.
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
	f.ask(f.gateways...)
	return f
}

// add starts another gateway. settings stand beside jobs, those of ofJobs in it, and env in its environment.
func (f *fleet) add(settings string, ofJobs []string, env ...string) *gateway {
	f.Helper()
	folder := f.TempDir()
	text := "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ncontrol: 127.0.0.1:0\ndrain: {delay: 0s}\njobs: {enabled: true, store: \"" + f.url + "\", store_timeout: 2s" + strings.Join(append([]string{""}, ofJobs...), ", ") + "}\n" + settings
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

// process is the last one that was started.
func (g *gateway) process() *gatetest.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.processes[len(g.processes)-1]
}

// end ends the process by a signal and waits for it.
func (g *gateway) end(s syscall.Signal) { g.process().End(s) }

// log is what all processes of the gateway have logged.
func (g *gateway) log() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var text strings.Builder
	for _, p := range g.processes {
		text.WriteString(p.Log.String())
	}
	return text.String()
}

// at is the address of a listener, "" if it is off.
func (g *gateway) at(listener string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addresses[listener]
}

var client = &http.Client{Timeout: 5*time.Second + late, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func get(url string) (status int, body string, header http.Header) {
	r, err := client.Get(url) //nolint:noctx // the client has a time-out
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = r.Body.Close() }()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text), r.Header
}

// holds says whether the gateway does the background work.
func (g *gateway) holds() bool {
	_, body, _ := get("http://" + g.at("admin") + "/metrics")
	return strings.Contains(body, `jobgate_lease_held{work="jobs"} 1`)
}

// holder waits until exactly one of the gateways holds the lease, for within and late.
func (f *fleet) holder(within time.Duration, among ...*gateway) *gateway {
	f.Helper()
	var holding []*gateway
	for deadline := time.Now().Add(within + late); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		holding = nil
		for _, g := range among {
			if g.holds() {
				holding = append(holding, g)
			}
		}
		if len(holding) == 1 {
			return holding[0]
		}
	}
	f.Fatalf("%d gateways hold the lease after %v", len(holding), within+late)
	return nil
}

// job makes a job for n new things, and waits until all are queued.
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

// load reports on a job's executions, over and over, on any gateway, until stop is called.
type load struct {
	f        *fleet
	job      string
	things   []string
	answered []atomic.Int64 // by thing: the last report that was answered with 200
	good     atomic.Int64   // how many were
	lastGood atomic.Int64   // when, ns
	refused  atomic.Int64   // 503 and 500
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
				time.Sleep(breath)
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

// ask sets the gateways that requests go to. A load may run meanwhile.
func (f *fleet) ask(gateways ...*gateway) { f.asked.Store(&gateways) }

// post reports on an execution, to any of the gateways that are asked.
func (f *fleet) post(thing, job, body string) (int, string, http.Header) {
	asked := *f.asked.Load()
	r, err := client.Post("http://"+asked[rand.IntN(len(asked))].at("listen")+"/things/"+thing+"/jobs/"+job, "application/json", strings.NewReader(body)) //nolint:noctx // the client has a time-out
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

// works waits until a report is answered, for within and late.
func (l *load) works(within time.Duration) time.Duration {
	l.f.Helper()
	begun := time.Now()
	for time.Since(begun) < within+late {
		if l.lastGood.Load() > begun.UnixNano() {
			return time.Since(begun)
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.f.Fatalf("no report was answered for %v", within+late)
	return 0
}

// verify ends the load, and compares what was answered with the store. The job's executions end then, and so does the job.
func (l *load) verify() {
	f := l.f
	f.Helper()
	l.stop()
	if text := l.wrong.Load(); text != nil {
		f.Errorf("a report was answered with %s", *text)
	}
	if l.good.Load() == 0 {
		f.Fatal("nothing was answered")
	}
	ctx := context.Background()
	for i, thing := range l.things {
		var e jobs.ExecutionSummary
		var err error
		for deadline := time.Now().Add(late); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			if e, err = f.service.Execution(ctx, thing, l.job, 0); err == nil {
				break
			}
		}
		if err != nil {
			f.Fatal(err)
		}
		n, _ := strconv.ParseInt(e.Details.Map()["n"], 10, 64)
		if answered := l.answered[i].Load(); n < answered {
			f.Errorf("%s: report %d was answered, and %d is stored (version %d)", thing, answered, n, e.Version)
		}
	}
	for _, thing := range l.things {
		deadline := time.Now().Add(10*time.Second + late)
		for {
			status, body, _ := f.post(thing, l.job, `{"status":"SUCCEEDED"}`)
			if status == 200 || strings.Contains(body, "cannot become") { // an answer that was lost
				break
			}
			if time.Now().After(deadline) {
				f.Fatalf("%s cannot end: %d %s", thing, status, body)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	f.completes(l.job, 11*time.Second)
	f.adds()
	f.Logf("%d reports answered, %d refused with 503", l.good.Load(), l.refused.Load())
}

// completes waits until a job is completed, for within and late.
func (f *fleet) completes(id string, within time.Duration) {
	f.Helper()
	begun := time.Now()
	var status string
	for time.Since(begun) < within+late {
		d, err := f.service.DescribeJob(context.Background(), time.Now(), id)
		if err == nil {
			if status = d.Job.Status.String(); status == "COMPLETED" {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := json.Marshal(status)
	f.Errorf("job %s is %s after %v", id, text, within+late)
}
