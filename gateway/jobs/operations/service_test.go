package operations_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

var (
	bg   = context.Background()
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // a Sunday
)

const downloadRole = "arn:aws:iam::123456789012:role/download"

// roles lists one role.
type roles struct{}

func (roles) DocumentOptions(arn string) (jobdoc.Options, bool) {
	return jobdoc.Options{}, arn == "" || arn == downloadRole
}

// fixture is a service over a store, with a clock that the test moves.
type fixture struct {
	*testing.T
	*operations.Service
	store jobs.Store
	path  string
	now   time.Time
}

func openStore(path string) (jobs.Store, error) {
	e, err := sqlite.Open(bg, sqlite.Options{Path: path, NoSync: true})
	if err != nil {
		return nil, err
	}
	return rules.Over(e), nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, path: filepath.Join(t.TempDir(), "jobs.db"), now: noon}
	f.open()
	t.Cleanup(func() { _ = f.store.Close() })
	return f
}

func (f *fixture) open() {
	f.Helper()
	var err error
	f.store, err = openStore(f.path)
	f.ok(err)
	f.Service, err = operations.New(operations.Config{
		Store: f.store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}, Roles: roles{}, Endpoint: "localhost:8080",
		Fetch: func(_ context.Context, url string) ([]byte, error) {
			switch url {
			case "https://s3.amazonaws.com/b/k.json":
				return []byte(`{"from":"s3"}`), nil
			case "https://s3.amazonaws.com/b/mark.json":
				return []byte("\uFEFF" + `{"from":"s3"}`), nil
			}
			return nil, errors.New("no such object, and here is a secret")
		},
	})
	f.ok(err)
}

// restart closes the store and opens it again.
func (f *fixture) restart() {
	f.Helper()
	f.ok(f.store.Close())
	f.open()
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// is fails unless err is of a kind and its text contains want.
func (f *fixture) is(err, kind error, want string) {
	f.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), want) {
		f.Fatalf("error is %v, want %v with %q", err, kind, want)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		f.Fatalf("%s is %s, want %s", what, g, w)
	}
}

// pass moves the clock on and does the work that is due then.
func (f *fixture) pass(d time.Duration) {
	f.Helper()
	f.now = f.now.Add(d)
	f.ok(f.Driver().Tick(bg, f.now))
}

// things registers things in a group.
func (f *fixture) things(group string, names ...string) {
	f.Helper()
	_, err := f.CreateGroup(bg, f.now, jobs.CreateGroupRequest{Name: group})
	f.ok(err)
	for _, n := range names {
		_, err := f.CreateThing(bg, f.now, jobs.CreateThingRequest{Name: n})
		f.ok(err)
		f.ok(f.AddToGroup(bg, f.now, jobs.MemberRequest{Thing: n, Group: group}))
	}
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("t%02d", i)
	}
	return names
}

// create creates a job for group "g".
func (f *fixture) create(id string, edit func(*jobs.CreateJobRequest)) {
	f.Helper()
	f.ok(f.tryCreate(id, edit))
}

func (f *fixture) tryCreate(id string, edit func(*jobs.CreateJobRequest)) error {
	r := jobs.CreateJobRequest{ID: id, Document: `{"do":"it"}`, Targets: []string{f.Names().GroupARN("g")}}
	if edit != nil {
		edit(&r)
	}
	_, err := f.CreateJob(bg, f.now, r)
	return err
}

// report reports a status for a device.
func (f *fixture) report(thing, job string, s jobs.Status) jobs.Execution {
	f.Helper()
	d, err := f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: thing, JobID: job, Status: s})
	f.ok(err)
	return d.Execution
}

// status returns a job's status and its counts.
func (f *fixture) status(id string) string {
	f.Helper()
	d, err := f.DescribeJob(bg, f.now, id)
	f.ok(err)
	text := d.Job.Status.String()
	for s, n := range d.Counts {
		if n > 0 {
			text += fmt.Sprintf(" %s:%d", jobs.Status(s), n)
		}
	}
	return text
}

// next returns the execution that a device is offered.
func (f *fixture) next(thing string) string {
	f.Helper()
	d, found, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: thing, JobID: jobs.Next})
	f.ok(err)
	if !found {
		return "nothing"
	}
	return fmt.Sprintf("%s#%d %s", d.Execution.Job.ID, d.Execution.Number, d.Execution.Status)
}

// TestAbortAtFirstFailure fails a job that may be tried eleven times: the abort rule counts the first failure at once.
func TestAbortAtFirstFailure(t *testing.T) {
	f := newFixture(t)
	f.things("g", numbered(3)...)
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureFailed, NumberOfRetries: 10}}}
		r.Abort = &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{{
			FailureType: jobs.FailureFailed, Action: jobs.ActionCancel, ThresholdPercentage: 60, MinNumberOfExecutedThings: 2,
		}}}
	})
	f.pass(time.Second)
	f.report("t00", "j", jobs.Failed)
	f.report("t00", "j", jobs.Failed)
	f.pass(time.Second)
	f.same("after one thing", f.status("j"), "IN_PROGRESS QUEUED:3")
	f.restart()
	f.report("t01", "j", jobs.Succeeded)
	f.pass(time.Second)
	f.same("after two of three attempts", f.status("j"), "CANCELED SUCCEEDED:1 CANCELED:2")
}
