package operations_test

import (
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// TestRetention deletes jobs when their retention has passed and not before, also more than may be deleted at once.
func TestRetention(t *testing.T) {
	f := newFixture(t)
	service, err := operations.New(operations.Config{Store: f.store, Names: f.Names(), Roles: roles{}, Retention: time.Hour})
	f.ok(err)
	f.Service = service
	f.things("g", "t00")
	for i := range 25 {
		f.create(fmt.Sprint("done-", i), nil)
	}
	f.create("running", nil)
	f.create("canceled", nil)
	f.pass(time.Second)
	for i := range 25 {
		f.report("t00", fmt.Sprint("done-", i), jobs.Succeeded)
	}
	f.report("t00", "canceled", jobs.InProgress)
	_, err = f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "canceled"})
	f.ok(err)
	list := func() (ids []string) {
		all, _, err := f.ListJobs(bg, jobs.JobQuery{}, jobs.Page{Limit: 100})
		f.ok(err)
		for _, j := range all {
			ids = append(ids, j.Job.ID)
		}
		return ids
	}
	f.pass(time.Minute)
	f.same("jobs", len(list()), 27)
	f.pass(58 * time.Minute)
	f.same("jobs before the retention has passed", len(list()), 27)
	f.pass(3 * time.Minute)
	f.same("jobs", list(), []string{"canceled", "running"}) // a device still executes the canceled one
	f.report("t00", "canceled", jobs.Succeeded)
	f.pass(time.Minute)
	f.same("jobs", list(), []string{"running"})
}
