package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/sqlite"
)

var bg = context.Background()

// killStore names the environment variable that makes the test program a child to be killed.
const killStore = "JOBS_KILL_STORE"

// TestKill kills a process under load at random moments, and looks at what its store holds then: every answered write is
// there, every execution is in one state, the counts add up. JOBS_KILLS says how often: 50 in the project's own checks.
func TestKill(t *testing.T) {
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("JOBS_KILLS")); err == nil {
		kills = n
	} else if testing.Short() || underRace {
		kills = 1
	}
	path := filepath.Join(t.TempDir(), "jobs.db")
	answered := newAnswers()
	for i := range kills {
		runChild(t, path, i, answered)
		store, err := sqlite.Open(bg, sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		answered.check(t, store)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", i+1)
		}
	}
	t.Logf("%d kills; %d answered updates of %d executions, %d jobs, %d deleted", kills,
		answered.updates, len(answered.executions), len(answered.jobs), len(answered.deleted))
}

// runChild runs a child for a random time and kills it.
func runChild(t *testing.T, path string, generation int, answered *answers) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.count=1")
	child.Env = append(os.Environ(), killStore+"="+path, fmt.Sprintf("JOBS_KILL_GENERATION=%d", generation))
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe() // the child ends when it is closed: it does not outlive this process
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close() //nolint:errcheck // its reader is dead
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	ready := make(chan struct{})
	reading.Go(func() { answered.read(t, stdout, ready) })
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Error("the child does not begin")
	}
	time.Sleep(time.Duration(50+rand.IntN(450)) * time.Millisecond)
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	reading.Wait()
	_ = child.Wait() // it was killed
}

// TestKillChild is the child: it writes until it is killed, and says what was answered, one line a write.
func TestKillChild(t *testing.T) {
	path := os.Getenv(killStore)
	if path == "" {
		return // it is TestKill's
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	store, err := sqlite.Open(bg, sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	service, err := jobs.New(jobs.Config{
		Store: store, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}, Limits: jobs.Limits{ChunkSize: 200},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &child{service: service, store: store, generation: os.Getenv("JOBS_KILL_GENERATION")}
	c.prepare(t)
	go service.Run(bg)
	for range 16 {
		go c.devices(t)
	}
	c.say("ready")
	c.operator(t)
}

// child is the load of TestKillChild.
type child struct {
	service    *jobs.Service
	store      *sqlite.Store
	generation string
}

const killThings = 500

func killThing() string { return fmt.Sprintf("thing-%04d", rand.IntN(killThings)) }

// say writes a line at once; lines of this length are not mixed up.
func (c *child) say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "\n"+format+" .\n", args...)
}

// prepare registers the things, in the first child.
func (c *child) prepare(t *testing.T) {
	_, err := c.store.Group(bg, "all")
	if err == nil {
		return
	}
	things := make([]jobs.Thing, killThings)
	names := make([]string, killThings)
	for i := range things {
		names[i] = fmt.Sprintf("thing-%04d", i)
		things[i] = jobs.Thing{Name: names[i], ID: names[i], Version: 1}
	}
	err = errors.Join(c.store.CreateThings(bg, things), c.store.CreateGroup(bg, jobs.Group{Name: "all", ID: "all", Version: 1}, nil))
	if err == nil {
		_, err = c.store.ChangeMembers(bg, jobs.MemberChange{Things: names, Add: []string{"all"}, Now: time.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// devices start what is pending and report on it.
func (c *child) devices(t *testing.T) {
	statuses := []jobs.Status{jobs.InProgress, jobs.InProgress, jobs.Succeeded, jobs.Failed, jobs.Rejected}
	for {
		thing := killThing()
		d, found, err := c.service.StartNext(bg, time.Now(), jobs.StartNextRequest{Thing: thing})
		if err != nil {
			t.Error(err)
		}
		if !found {
			continue
		}
		c.update(&d.Execution)
		d, err = c.service.Update(bg, time.Now(), jobs.UpdateExecutionRequest{
			Thing: thing, JobID: d.Execution.Job.ID, Status: statuses[rand.IntN(len(statuses))], Details: map[string]string{"a": "b"},
		})
		if err == nil {
			c.update(&d.Execution)
		} else if !errors.Is(err, jobs.ErrInvalidStateTransition) && !errors.Is(err, jobs.ErrNotFound) && !errors.Is(err, jobs.ErrConflict) {
			t.Error(err)
		}
	}
}

func (c *child) update(e *jobs.Execution) {
	c.say("update %s %s %d %d %d", e.Thing, e.Job.ID, e.Number, e.Version, e.Status)
}

// operator creates, cancels and deletes jobs, and moves things.
func (c *child) operator(t *testing.T) {
	all := c.service.Names().GroupARN("all")
	for i := 0; ; i++ {
		id := fmt.Sprintf("job-%s-%d", c.generation, i)
		_, err := c.service.CreateJob(bg, time.Now(), jobs.CreateJobRequest{
			ID: id, Targets: []string{all}, Selection: jobs.Continuous, Document: "{}",
			Settings: jobs.Settings{Retry: &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: 2}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.say("job %s", id)
		time.Sleep(30 * time.Millisecond)
		thing := killThing()
		for _, change := range []func(context.Context, time.Time, jobs.MemberRequest) error{c.service.RemoveFromGroup, c.service.AddToGroup} {
			if err := change(bg, time.Now(), jobs.MemberRequest{Thing: thing, Group: "all"}); err != nil {
				t.Fatal(err)
			}
		}
		switch i % 3 {
		case 0:
			if _, err := c.service.CancelJob(bg, time.Now(), jobs.CancelJobRequest{ID: id, Force: i%2 == 0}); err != nil {
				t.Fatal(err)
			}
			c.say("cancel %s", id)
		case 1:
			c.say("deleting %s", id) // from here on it may be there or not
			if err := c.service.DeleteJob(bg, time.Now(), jobs.DeleteJobRequest{ID: id, Force: true}); err != nil && !errors.Is(err, jobs.ErrLimitExceeded) {
				t.Fatal(err)
			}
		}
	}
}

// answers is what children said.
type answers struct {
	mu         sync.Mutex
	updates    int
	executions map[string]answer // by thing and job
	jobs       map[string]bool
	canceled   map[string]bool
	deleted    map[string]bool
}

// answer is the last state of an execution that a child was told.
type answer struct {
	number, version int64
	status          jobs.Status
}

func newAnswers() *answers {
	return &answers{
		executions: make(map[string]answer), jobs: make(map[string]bool), canceled: make(map[string]bool), deleted: make(map[string]bool),
	}
}

// read reads a child's lines until it is dead; the last may be cut off.
func (a *answers) read(t *testing.T, out io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[len(words)-1] != "." {
			if s := lines.Text(); strings.Contains(s, "FAIL") || strings.Contains(s, "_test.go") {
				t.Errorf("the child says: %s", s)
			}
			continue
		}
		a.mu.Lock()
		switch words[0] {
		case "ready":
			close(ready)
		case "update":
			a.updated(words)
		case "job":
			a.jobs[words[1]] = true
		case "cancel":
			a.canceled[words[1]] = true
		case "deleting":
			a.deleted[words[1]] = true
		}
		a.mu.Unlock()
	}
}

// updated keeps the later of two answers: lines of different workers do not come in order.
func (a *answers) updated(words []string) {
	var n [3]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(words[3+i], 10, 64)
	}
	a.updates++
	key := words[1] + " " + words[2]
	if have, ok := a.executions[key]; !ok || n[0] > have.number || (n[0] == have.number && n[1] > have.version) {
		a.executions[key] = answer{n[0], n[1], jobs.Status(n[2])}
	}
}
