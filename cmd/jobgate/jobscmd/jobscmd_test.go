package jobscmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/signing"
	"jobgate/presigner"
)

const keys = `
access_keys:
  - {id: AKIAOPERATOR00000001, secret: operators-secret-0001}
  - {id: AKIADASHBOARD0000001, secret: dashboards-secret-01, read_only: true}
`

var (
	operator  = presigner.Credentials{AccessKeyID: "AKIAOPERATOR00000001", SecretAccessKey: "operators-secret-0001"}
	dashboard = presigner.Credentials{AccessKeyID: "AKIADASHBOARD0000001", SecretAccessKey: "dashboards-secret-01"}
)

// site is a control listener with jobs in memory.
type site struct {
	*testing.T
	*operations.Service
	connection Connection
}

type noRoles struct{}

func (noRoles) DocumentOptions(string) (jobdoc.Options, bool) { return jobdoc.Options{}, true }

// noAuthority signs nothing. The documents of these tests have no URLs to sign.
type noAuthority struct{}

func (noAuthority) Skew() time.Duration { return 0 }

func (noAuthority) Grant(context.Context, signing.Terms) (signing.Grant, error) {
	return signing.Grant{}, errors.New("not in this test")
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store := rules.Over(memory.New(memory.Faults{}).Open())
	var err error
	s.Service, err = operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}, Roles: noRoles{}})
	ok(err)
	known, err := access.ParseKeys([]byte(keys))
	ok(err)
	verifier, err := access.NewVerifier("us-east-1", known)
	ok(err)
	plane, err := control.New(control.Config{Service: s.Service})
	ok(err)
	devices, err := data.New(data.Config{Service: s.Service, Documents: documents.New(documents.Config{Authority: noAuthority{}})})
	ok(err)
	stream, err := events.New(events.Config{Service: s.Service, Verifier: verifier})
	ok(err)
	listener, err := api.New(api.Config{Control: plane, Data: devices, Events: stream, Verifier: verifier})
	ok(err)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	ok(err)
	server := &fasthttp.Server{Handler: listener.Handle}
	go func() { _ = server.Serve(socket) }() // until it is shut down
	t.Cleanup(func() {
		listener.Close()
		_ = server.Shutdown()
		ok(store.Close())
	})
	s.connection = Connection{Endpoint: "http://" + socket.Addr().String(), Region: "us-east-1", Credentials: operator, HTTP: http.DefaultClient}
	return s
}

// job creates a job for n things. The first fail of them report FAILED with a reason.
func (s *site) job(id string, n, fail int) {
	s.Helper()
	now := time.Now()
	ok := func(err error) {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
	}
	_, err := s.CreateGroup(s.Context(), now, jobs.CreateGroupRequest{Name: "fleet"})
	ok(err)
	for i := range n {
		name := fmt.Sprintf("sensor-%d", i)
		_, err := s.CreateThing(s.Context(), now, jobs.CreateThingRequest{Name: name})
		ok(err)
		ok(s.AddToGroup(s.Context(), now, jobs.MemberRequest{Thing: name, Group: "fleet"}))
	}
	_, err = s.CreateJob(s.Context(), now, jobs.CreateJobRequest{
		ID: id, Document: "{}", Targets: []string{s.Names().GroupARN("fleet")}, Description: "what \u202ethe operator wrote",
	})
	ok(err)
	for i := range fail {
		s.report(id, i, jobs.Failed)
	}
}

func (s *site) report(job string, thing int, status jobs.Status) {
	s.Helper()
	_, err := s.Update(context.Background(), time.Now(), jobs.UpdateExecutionRequest{
		Thing: fmt.Sprintf("sensor-%d", thing), JobID: job, Status: status, Details: map[string]string{"reason": "disk \x1b[2J is full"},
	})
	if err != nil {
		s.Error(err)
	}
}

// jobs runs `jobgate jobs` with arguments.
func (s *site) jobs(who presigner.Credentials, args ...string) (out, errs string, err error) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	root := s.command(who)
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetIn(strings.NewReader("y\n"))
	root.SetArgs(args)
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	err = root.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

func (s *site) command(who presigner.Credentials) *cobra.Command {
	connection := s.connection
	connection.Credentials = who
	root := &cobra.Command{Use: "jobs", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(Options{
		UntilSignal: func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		Connect: func(*cobra.Command) func(context.Context) (*Connection, error) {
			return func(context.Context) (*Connection, error) { return &connection, nil }
		},
	})...)
	return root
}

// ok runs a command that must succeed and print all of want.
func (s *site) ok(args []string, want ...string) string {
	s.Helper()
	out, errs, err := s.jobs(operator, args...)
	if err != nil {
		s.Fatalf("%q: %v", args, err)
	}
	for _, text := range want {
		if !strings.Contains(out+errs, text) {
			s.Errorf("%q does not print %q:\n%s%s", args, text, out, errs)
		}
	}
	if strings.Contains(out, "\x1b") || (!slices.Contains(args, "--json") && strings.Contains(out, "\u202e")) {
		s.Errorf("%q writes control characters: %q", args, out)
	}
	return out
}

// fails runs a command that must fail with an error that contains want.
func (s *site) fails(who presigner.Credentials, want string, args ...string) {
	s.Helper()
	out, _, err := s.jobs(who, args...)
	if err == nil || !strings.Contains(err.Error(), want) {
		s.Errorf("%q: error is %v, want %q; output %q", args, err, want, out)
	}
}

func TestShowListFailures(t *testing.T) {
	s := newSite(t)
	s.ok([]string{"list"}, "No jobs match.")
	s.job("update-1", 7, 3)
	s.report("update-1", 3, jobs.Rejected)
	s.report("update-1", 4, jobs.Succeeded)
	s.ok([]string{"list"}, "JOB ", "update-1  IN_PROGRESS  SNAPSHOT")
	s.ok([]string{"list", "--status", "COMPLETED"}, "No jobs match.")
	s.ok([]string{"list", "--json"}, `{"jobArn":"arn:aws:iot:us-east-1:123456789012:job/update-1"`)
	s.ok([]string{"show", "update-1"}, "Status       IN_PROGRESS\n", "Executions   7\n", "  SUCCEEDED   1\n", "  FAILED      3\n", "what \ufffdthe operator wrote")
	s.ok([]string{"show", "update-1", "--json"}, `"numberOfFailedThings":3`)
	s.ok([]string{"failures", "update-1"}, "THINGS  STATUS", "3       FAILED    disk \ufffd[2J is full", "1       REJECTED", "sensor-0  FAILED    1 ")
	if out := s.ok([]string{"failures", "update-1", "--limit", "2", "--json"}); strings.Count(out, "\n") != 2 || !strings.Contains(out, `"reason":"disk \u001b[2J is full"`) {
		t.Errorf("two failures as JSON: %q", out)
	}
	if out := s.ok([]string{"failures", "update-1", "--status", "REJECTED", "--json"}); strings.Count(out, "\n") != 1 || !strings.Contains(out, `"thingName":"sensor-3"`) {
		t.Errorf("one failure as JSON: %q", out)
	}
	s.ok([]string{"failures", "update-1", "--reason", ""}, "No failures match.")
	s.fails(operator, "ResourceNotFoundException: Job none does not exist.", "show", "none")
	s.fails(operator, `cannot list the failures of job "none" at http://`, "failures", "none")
	s.fails(operator, "InvalidRequestException", "list", "--status", "WRONG")
	s.fails(presigner.Credentials{AccessKeyID: "AKIANOBODY", SecretAccessKey: "x"}, "UnrecognizedClientException", "list")
	s.connection.Endpoint = "here"
	s.fails(operator, "see --endpoint-url", "list")
	s.connection.Endpoint = "http://127.0.0.1:1"
	s.fails(operator, "does the gateway run, with jobs.enabled?", "list")
}

// TestPages lists more failures than fit in a page.
func TestPages(t *testing.T) {
	s := newSite(t)
	s.job("j", 300, 300)
	if out := s.ok([]string{"failures", "j", "--limit", "0", "--json"}); strings.Count(out, "\n") != 300 {
		t.Errorf("%d lines, want 300", strings.Count(out, "\n"))
	}
	if out := s.ok([]string{"failures", "j", "--limit", "260", "--json"}); strings.Count(out, "\n") != 260 {
		t.Errorf("%d lines, want 260", strings.Count(out, "\n"))
	}
}

// TestNegativeNumbers: a limit or an interval below 0 is refused, not taken for the default.
func TestNegativeNumbers(t *testing.T) {
	s := newSite(t)
	s.job("j", 1, 1)
	for _, args := range [][]string{{"list"}, {"failures", "j"}} {
		for _, limit := range []string{"-1", "-5", "x", ""} {
			s.fails(operator, `invalid argument "`+limit+`" for "--limit" flag: a limit is a number of at least 0; 0 means all`, append(args, "--limit", limit)...)
		}
		s.ok(append(args, "--limit", "0", "--json"), "{")
	}
	s.fails(operator, `invalid argument "-1s" for "--interval" flag: an interval is a time of at least 0s`, "show", "j", "--interval", "-1s")
}

func TestRetry(t *testing.T) {
	s := newSite(t)
	s.job("update-1", 5, 3)
	s.ok([]string{"retry", "update-1", "--dry-run"}, "3 things would get job update-1-retry.\n")
	s.ok([]string{"retry", "update-1", "--dry-run", "--json"}, `{"things":3}`)
	s.ok([]string{"retry", "update-1", "--dry-run", "--reason", "other"}, "0 things would")
	s.fails(operator, "There is nothing to retry", "retry", "update-1", "--status", "TIMED_OUT,REJECTED")
	s.fails(dashboard, "AccessDeniedException", "retry", "update-1")
	for range 2 {
		s.ok([]string{"retry", "update-1"}, "Job update-1-retry is for 3 things, in group jobgate-retry-update-1-retry.\n", "jobgate jobs show update-1-retry --follow")
	}
	s.fails(operator, "ResourceAlreadyExistsException", "retry", "update-1", "--status", "FAILED")
	s.fails(operator, "ResourceNotFoundException", "retry", strings.Repeat("x", 64))
	s.ok([]string{"show", "update-1-retry"}, "  QUEUED      3\n")
}

func TestCancelDelete(t *testing.T) {
	s := newSite(t)
	s.job("update-1", 2, 0)
	s.fails(operator, `cannot cancel job "update-1" without confirmation: there is no terminal to ask on; use --yes`, "cancel", "update-1")
	s.fails(operator, "use --yes", "delete", "update-1")
	s.fails(dashboard, "AccessDeniedException", "cancel", "update-1", "--yes")
	s.fails(operator, "is deleted with force only", "delete", "update-1", "--yes")
	s.ok([]string{"show", "update-1"}, "IN_PROGRESS")
	s.ok([]string{"cancel", "update-1", "--yes", "--reason-code", "BAD_IMAGE", "--comment", "it does not boot"}, "Job update-1 is canceled.\n")
	s.ok([]string{"show", "update-1"}, "CANCELED BAD_IMAGE", "it does not boot", "  CANCELED    2\n")
	s.fails(operator, "was canceled", "show", "update-1", "--exit-status")
	s.ok([]string{"delete", "update-1", "--yes"}, "Job update-1 is being deleted.\n")
}

// TestFollow follows a job until it ends, without a terminal.
func TestFollow(t *testing.T) {
	s := newSite(t)
	s.job("j", 3, 1)
	go func() {
		for i := 1; i < 3; i++ {
			s.report("j", i, jobs.Succeeded)
		}
		if err := s.Driver().Tick(context.Background(), time.Now()); err != nil {
			t.Error(err)
		}
	}()
	out := s.ok([]string{"show", "j", "--follow", "--interval", "1ms"}, " j COMPLETED SUCCEEDED=2 FAILED=1\n")
	if strings.Count(out, "COMPLETED") != 1 {
		t.Errorf("more than one line after the job ended:\n%s", out)
	}
	s.fails(operator, `job "j" failed on 1 thing; see jobgate jobs failures j`, "show", "j", "--follow", "--exit-status")
	s.ok([]string{"show", "j", "--follow", "--json"}, `"status":"COMPLETED"`)
}
