package postgres_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/servertest"
)

// halfway forwards connections. It lets the statement with marker run, but not commit: the client gets its rows, and then the
// connection is reset, as by a server that is shut down while the commit waits for a standby.
func halfway(t *testing.T, target string, marker []byte) string {
	t.Helper()
	return servertest.Serve(t, func(c net.Conn) {
		s, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer func() { _ = s.Close() }()
		go func() {
			_, _ = io.Copy(c, s)
			_ = c.Close()
		}()
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			message, sync := buf[:n], []byte{'S', 0, 0, 0, 4}
			cut := bytes.Contains(message, marker) && bytes.HasSuffix(message, sync)
			if cut {
				message[n-len(sync)] = 'H' // Flush: the rows are sent, the transaction stays open
			}
			if _, err := s.Write(message); err != nil {
				return
			}
			if cut {
				time.Sleep(200 * time.Millisecond) // for the rows to arrive
				return
			}
		}
	})
}

// TestRowsWithoutCommit lets a report's rows arrive, but not its commit. The report must not succeed.
func TestRowsWithoutCommit(t *testing.T) {
	direct := pgtest.New(t)
	u, err := url.Parse(direct)
	must(t, err)
	u.Host = halfway(t, u.Host, []byte("not committed"))
	e, err := postgres.Open(t.Context(), postgres.Options{URL: u.String(), Timeout: time.Second})
	must(t, err)
	store := rules.Over(e)
	defer func() { _ = store.Close() }()
	s, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	must(t, err)
	_, err = s.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: "t"})
	must(t, err)
	_, err = s.CreateJob(t.Context(), time.Now(), jobs.CreateJobRequest{ID: "j", Document: "{}", Targets: []string{s.Names().ThingARN("t")}})
	must(t, err)
	report := func(text string) error {
		_, err := s.Update(t.Context(), time.Now(), jobs.UpdateExecutionRequest{
			Thing: "t", JobID: "j", Status: jobs.InProgress, Details: map[string]string{"text": text},
		})
		return err
	}
	must(t, report("committed"))
	if err := report("not committed"); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("a report whose commit did not arrive: %v", err)
	}
	x, err := s.Execution(t.Context(), "t", "j", 0)
	must(t, err)
	if got := x.Details.Map()["text"]; got != "committed" {
		t.Errorf("it is stored as %q", got)
	}
	must(t, report("later"))
}
