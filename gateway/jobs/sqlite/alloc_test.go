//go:build !race

package sqlite_test

import (
	"testing"

	"jobgate/gateway/jobs"
)

// TestAllocations checks that the most frequent requests of devices do not allocate.
func TestAllocations(t *testing.T) {
	f := newFleet(t, 100)
	f.register()
	f.createJob("job")
	var buf [8]jobs.Execution
	check := func(what string, do func() error) {
		t.Helper()
		var err error
		if n := testing.AllocsPerRun(1000, func() { err = do() }); n != 0 || err != nil {
			t.Errorf("%s: %v allocations, %v", what, n, err)
		}
	}
	check("Pending", func() error {
		_, err := f.store.Pending(bg, buf[:0], f.names[7])
		return err
	})
	check("Execution", func() error {
		_, err := f.store.Execution(bg, f.names[7], "job", 0)
		return err
	})
	check("GetPending", func() error {
		_, err := f.service.GetPending(bg, f.names[7], buf[:0])
		return err
	})
	for _, id := range []string{jobs.Next, "job"} {
		check("Describe "+id, func() error {
			_, _, err := f.service.Describe(bg, jobs.DescribeExecutionRequest{Thing: f.names[7], JobID: id, Document: true})
			return err
		})
	}
}
