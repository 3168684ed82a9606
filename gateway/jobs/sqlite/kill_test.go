package sqlite_test

import (
	"bufio"
	"context"
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
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/sqlite"
)

var bg = context.Background()

// killStore names the environment variable that makes the test program a child to be killed.
const killStore = "JOBS_KILL_STORE"

// TestKill kills a process under load at random moments, and checks its store: no answered write is lost, every execution is
// in one state, and the counts add up. JOBS_KILLS sets the number of kills: 50 in the project's CI.
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
		store, err := openStore(sqlite.Options{Path: path})
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

// minAnswers is the least number of writes that a child answers before it is killed.
const minAnswers = 20

// runChild runs a child for a random time and kills it.
func runChild(t *testing.T, path string, generation int, answered *answers) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.count=1")
	child.Env = append(os.Environ(), killStore+"="+path, fmt.Sprintf("JOBS_KILL_GENERATION=%d", generation))
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe() // the child exits when stdin is closed, so it does not outlive this process
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close() //nolint:errcheck // the child was killed
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	before := answered.count()
	var reading sync.WaitGroup
	ready := make(chan struct{})
	reading.Go(func() { answered.read(t, stdout, ready) })
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Error("the child does not start within a minute")
	}
	time.Sleep(time.Duration(50+rand.IntN(450)) * time.Millisecond)
	for end := time.Now().Add(time.Minute); answered.count() < before+minAnswers; time.Sleep(time.Millisecond) { // the disk may be slow
		if time.Now().After(end) {
			t.Errorf("the child answers fewer than %d writes in a minute", minAnswers)
			break
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	reading.Wait()
	_ = child.Wait() // it was killed
}

// TestKillChild is the child. It writes until it is killed, and prints one line for each answer.
func TestKillChild(t *testing.T) {
	path := os.Getenv(killStore)
	if path == "" {
		return // only TestKill runs it
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	store, err := openStore(sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	service, err := operations.New(operations.Config{
		Store: store, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}, Limits: operations.Limits{ChunkSize: 200},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &child{service: service, store: store, generation: os.Getenv("JOBS_KILL_GENERATION")}
	c.prepare(t)
	go service.Driver().Run(bg)
	for range 16 {
		go c.devices()
	}
	c.say("ready")
	c.operator(t)
}

// answers are the answers that children printed.
type answers struct {
	mu         sync.Mutex
	updates    int
	executions map[string]answer // by thing and job
	jobs       map[string]bool
	described  map[string]bool
	canceled   map[string]bool
	deleting   map[string]bool    // jobs that may exist or not
	deleted    map[string]bool    // jobs that do not exist, or are being deleted
	stopped    map[[2]string]bool // executions that were canceled, by thing and job
	members    map[string]membership
}

// membership is the last answer about a thing's membership; unknown while a change is in progress.
type membership uint8

const (
	unknown membership = iota
	in
	out
)

// answer is the latest answered state of an execution.
type answer struct {
	number, version int64
	status          jobs.Status
	details         string
}

func newAnswers() *answers {
	return &answers{
		executions: make(map[string]answer), jobs: make(map[string]bool), described: make(map[string]bool),
		canceled: make(map[string]bool), deleting: make(map[string]bool), deleted: make(map[string]bool),
		stopped: make(map[[2]string]bool), members: make(map[string]membership),
	}
}

// read reads a child's lines until it is killed. The last line may be cut off.
func (a *answers) read(t *testing.T, out io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[len(words)-1] != "." {
			if s := lines.Text(); strings.Contains(s, "FAIL") || strings.Contains(s, "_test.go") {
				t.Errorf("the child printed: %s", s)
			}
			continue
		}
		switch words[0] {
		case "ready":
			close(ready)
		case "error":
			t.Errorf("the child printed: %s", lines.Text())
		default:
			a.note(words)
		}
	}
}

// note records one answer.
func (a *answers) note(words []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch what := words[1]; words[0] {
	case "update":
		a.updated(words)
	case "job":
		a.jobs[what] = true
	case "described":
		a.described[what] = true
	case "cancel":
		a.canceled[what] = true
	case "deleting":
		a.deleting[what] = true
	case "deleted":
		a.deleted[what] = true
	case "stopped":
		a.stopped[[2]string{what, words[2]}] = true
	case "moving":
		a.members[what] = unknown
	case "in":
		a.members[what] = in
	case "out":
		a.members[what] = out
	}
}

// count returns the number of answered writes.
func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.updates + len(a.jobs)
}

// updated records an answer unless it is older than the recorded one: the lines of different workers are not in order.
func (a *answers) updated(words []string) {
	var n [3]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(words[3+i], 10, 64)
	}
	a.updates++
	key := words[1] + " " + words[2]
	if have, ok := a.executions[key]; !ok || n[0] > have.number || (n[0] == have.number && n[1] > have.version) {
		a.executions[key] = answer{n[0], n[1], jobs.Status(n[2]), strings.TrimPrefix(words[6], "-")}
	}
}
