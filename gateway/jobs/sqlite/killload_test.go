package sqlite_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// child is the load of TestKillChild.
type child struct {
	service    *operations.Service
	store      jobs.Store
	generation string
}

const killThings = 500

func killThing() string { return fmt.Sprintf("thing-%04d", rand.IntN(killThings)) }

// say writes a line in one call, so that lines of concurrent callers do not mix.
func (c *child) say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "\n"+format+" .\n", args...)
}

// prepare registers the things, unless an earlier child has.
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

// devices starts pending executions and reports on them.
func (c *child) devices() {
	statuses := []jobs.Status{jobs.InProgress, jobs.InProgress, jobs.Succeeded, jobs.Failed, jobs.Rejected}
	for {
		thing := killThing()
		d, found, err := c.service.StartNext(bg, time.Now(), jobs.StartNextRequest{Thing: thing})
		if err != nil {
			c.fails(err)
		}
		if !found {
			continue
		}
		c.update(&d.Execution)
		d, err = c.service.Update(bg, time.Now(), jobs.UpdateExecutionRequest{
			Thing: thing, JobID: d.Execution.Job.ID, Status: statuses[rand.IntN(len(statuses))],
			Details: map[string]string{"n": strconv.Itoa(rand.IntN(1_000_000))},
		})
		if err == nil {
			c.update(&d.Execution)
		} else {
			c.fails(err)
		}
	}
}

// fails reports an error to the parent, which fails the test, unless a concurrent change explains it. The child is killed
// before it could report failures of its own.
func (c *child) fails(err error) {
	if !errors.Is(err, jobs.ErrInvalidStateTransition) && !errors.Is(err, jobs.ErrNotFound) && !errors.Is(err, jobs.ErrConflict) {
		c.say("error %v", err)
	}
}

func (c *child) update(e *jobs.Execution) {
	c.say("update %s %s %d %d %d %s", e.Thing, e.Job.ID, e.Number, e.Version, e.Status, cmp.Or(string(e.Details), "-"))
}

// operator creates, changes, cancels and deletes jobs, cancels executions, and changes memberships.
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
		if err := c.service.UpdateJob(bg, time.Now(), jobs.UpdateJobRequest{ID: id, Description: &id}); err != nil {
			t.Fatal(err)
		}
		c.say("described %s", id)
		time.Sleep(30 * time.Millisecond)
		c.move(t)
		thing := killThing()
		err = c.service.CancelExecution(bg, time.Now(), jobs.CancelExecutionRequest{Thing: thing, JobID: id, Force: true})
		if err == nil {
			c.say("stopped %s %s", thing, id)
		} else {
			c.fails(err)
		}
		c.end(t, i, id)
	}
}

// move removes a thing from the group and, three times out of four, adds it again.
func (c *child) move(t *testing.T) {
	m := jobs.MemberRequest{Thing: killThing(), Group: "all"}
	c.say("moving %s", m.Thing) // from here on, the thing may be a member or not
	if err := c.service.RemoveFromGroup(bg, time.Now(), m); err != nil {
		t.Fatal(err)
	}
	c.say("out %s", m.Thing)
	if rand.IntN(4) == 0 {
		return
	}
	c.say("moving %s", m.Thing)
	if err := c.service.AddToGroup(bg, time.Now(), m); err != nil {
		t.Fatal(err)
	}
	c.say("in %s", m.Thing)
}

// end cancels a third of the jobs, and deletes a third.
func (c *child) end(t *testing.T, i int, id string) {
	switch i % 3 {
	case 0:
		if _, err := c.service.CancelJob(bg, time.Now(), jobs.CancelJobRequest{ID: id, Force: i%2 == 0}); err != nil {
			t.Fatal(err)
		}
		c.say("cancel %s", id)
	case 1:
		c.say("deleting %s", id) // from here on, the job may exist or not
		err := c.service.DeleteJob(bg, time.Now(), jobs.DeleteJobRequest{ID: id, Force: true})
		switch {
		case err == nil:
			c.say("deleted %s", id)
		case !errors.Is(err, jobs.ErrLimitExceeded):
			t.Fatal(err)
		}
	}
}
