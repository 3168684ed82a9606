package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/bench/load"
	"jobgate/bench/report"
)

// execute runs the command as a shell would, and returns its output.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out bytes.Buffer
	cmd := Command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors = true
	err := cmd.ExecuteContext(ctx)
	if ctx.Err() != nil {
		t.Fatal("the command did not return")
	}
	return out.String(), err
}

func serve(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body) // if it fails, the command counts fewer answers
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func contains(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q is missing in:\n%s", w, got)
		}
	}
}

// TestRunDiffMerge runs twice, writes the reports, compares them and merges them.
func TestRunDiffMerge(t *testing.T) {
	t.Parallel()
	url, dir := serve(t, `{"a":1}`), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a.json", "b.json"} {
		out, err := execute(t, "run", "--rate", "500/s", "--arrivals", "constant", "--duration", "400ms", "--warmup", "100ms", "--things", "1000",
			"--json", file(name), "--html", file("r.html"), "--assert", "errors<0.1%,rate>1/s", url+"/things/{thingName}/jobs/{jobId}")
		if err != nil {
			t.Fatal(err)
		}
		contains(t, out, "open loop, constant arrivals, 500/s", "200 intended, 200 good, 0 failed", "1,000 things uniform, 1 of jobs, seed 1")
	}
	page, err := os.ReadFile(file("r.html"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(page), "<svg", "</html>")
	out, err := execute(t, "diff", file("a.json"), file("b.json"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, out, "B against A", "rate", "p99")
	out, err = execute(t, "merge", file("a.json"), file("b.json"), "--json", "-", "--assert", "errors<1")
	if err != nil {
		t.Fatal(err)
	}
	merged, err := report.ReadJSON(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if merged.Counts.Good != 400 || merged.Latency.Count() != 400 {
		t.Errorf("the merged report has %d good answers and %d latencies, want 400", merged.Counts.Good, merged.Latency.Count())
	}
	if _, err := execute(t, "merge", file("a.json"), "--assert", "errors>1"); !errors.Is(err, report.ErrAssert) {
		t.Errorf("a failed assertion on a merged report: %v", err)
	}
}

// "bench" without a subcommand runs as well; the scenario is read from a file.
func TestScenarioFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "life.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(lifeYAML, "1s..5s", "1ms..5ms")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := execute(t, "--scenario", file, "--count", "200", "--rate", "1000/s", "--warmup", "0s", serve(t, `{"execution":{"jobId":"j1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, out, "a device's life", "poll", "update/start", "update/finish")
}

func TestAssertDecidesTheExit(t *testing.T) {
	t.Parallel()
	out, err := execute(t, "--count", "50", "--warmup", "0s", "--assert", "p99<1ns", serve(t, "{}"))
	if !errors.Is(err, report.ErrAssert) {
		t.Errorf("the error is %v, want ErrAssert", err)
	}
	contains(t, out, "50 good")
	if _, err := execute(t, "--count", "50", "--warmup", "0s", serve(t, `"${aws:iot:parameter:x}"`)); err == nil || !strings.Contains(err.Error(), "no good answer") {
		t.Errorf("a run without a good answer: %v", err)
	}
}

func TestUnreachableHasAReport(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := execute(t, "--json", "-", "http://"+l.Addr().String())
	if !errors.Is(err, load.ErrUnreachable) {
		t.Errorf("the error is %v, want ErrUnreachable", err)
	}
	r, err := report.ReadJSON(strings.NewReader(out))
	if err != nil || len(r.Errors) != 1 || r.Errors[0].Kind != "refused" {
		t.Errorf("the report is %v, %s", err, out)
	}
}

func TestRefusedInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	bad, keys := write("bad.yaml", "flows:\n  - nam: x\n"), write("keys", "AKIA onlyid too many fields\n")
	const url, named, https = "http://127.0.0.1:1/x", "http://127.0.0.1:1/{thingName}", "https://127.0.0.1:1/x"
	f := func(want string, args ...string) {
		t.Helper()
		out, err := execute(t, args...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
		if out != "" {
			t.Errorf("%q printed a report: %s", args, out)
		}
	}
	f("0 targets")
	f("2 targets", url, url)
	f("not http://host", "ftp://h/")
	f("see --rate", "--rate", "fast", url)
	f("see --arrivals", "--arrivals", "bursts", url)
	f("see --things", "--things", "none", url)
	f("see --jobs", "--jobs", "0", url)
	f("see --spread", "--spread", "odd", url)
	f("see --zipf", "--spread", "zipf", "--zipf", "1", named)
	f("see --zipf", "--spread", "zipf", "--zipf", "NaN", named) // would draw names forever
	f("see --zipf", "--spread", "zipf", "--zipf", "Inf", named)
	f("see --keep-alive", "--keep-alive", "120%", url)
	f("see --header", "--header", "nocolon", url)
	f("these are for the open loop", "--concurrency", "5", "--rate", "5/s", url)
	f("0 connections", "--concurrency", "0", url)
	f("the stages of --rate last 5s", "--rate", "1/s:5s", "--duration", "6s", url)
	f("before the last take 5s already", "--rate", "1/s:5s,2/s", "--duration", "5s", url)
	f(bad+":2:5: unknown field", "--scenario", bad, "http://127.0.0.1:1")
	f("see --scenario", "--scenario", filepath.Join(dir, "none"), "http://127.0.0.1:1")
	f("with --scenario", "--scenario", bad, url)
	f("cannot use --method with --scenario", "--scenario", bad, "--method", "PUT", "http://127.0.0.1:1")
	f("cannot read the body", "--body-file", filepath.Join(dir, "none"), url)
	f("both --body and", "--body-file", keys, "--body", "x", url)
	f("see --ca-file", "--ca-file", keys, https)
	f("see --ca-file", "--ca-file", filepath.Join(dir, "none"), https)
	f("both --cert-file and --key-file", "--cert-file", keys, https)
	f("see --cert-file", "--cert-file", keys, "--key-file", keys, https)
	f("see --verify", "--verify=maybe", url)
	f("see --verify-rate", "--verify", "--verify-rate", "0", url)
	f("see --verify-keys", "--verify=signature", url)
	f(keys+":1 is not", "--verify", "--verify-keys", keys, url)
	f("without --verify", "--verify-keys", keys, url)
	// Flags that would have no effect are rejected.
	f("--zipf without --spread zipf", "--zipf", "2", url)
	f("--verify-rate without --verify", "--verify-rate", "5", url)
	f("--verify-skip with --verify=signature", "--verify=signature", "--verify-keys", keys, "--verify-skip", "x", url)
	f("--server-name with an http:// target", "--server-name", "x", url)
	f("--ca-file with an http:// target", "--ca-file", keys, url)
	device := "mqtt://127.0.0.1:1/$aws/things/{thingName}/jobs/get"
	f("--server-name with an mqtt:// target", "--server-name", "x", device)
	f("--mqtt-version with an HTTP target", "--mqtt-version", "5", url)
	f("--mqtt-keep-alive with an HTTP target", "--mqtt-keep-alive", "30s", url)
	f("whole seconds", "--mqtt-keep-alive", "1500ms", device)
	f("--method with an MQTT target", "--method", "POST", device)
	f("--spread with an MQTT target", "--spread", "uniform", device)
	f("8 connections the names of 3 things", "--concurrency", "8", "--things", "3", device)
	f(`cannot use MQTT version "4"`, "--mqtt-version", "4", device)
	f("is not a topic of jobs", "mqtt://127.0.0.1:1/doc")
	if p, err := (&flags{rate: "1/s", arrivals: "poisson", things: "1", jobs: "1", spread: "uniform", keepAlive: "100%", tls: tlsFlags{insecure: true}}).plan(url, func(n string) bool { return n == "insecure" }); err != nil {
		t.Errorf("--insecure with an http:// target, which scripts for both schemes use: %v, %v", p, err)
	}
	f("--ca-file with --insecure", "--insecure", "--ca-file", keys, https)
	f("--things: there is no {thingName}", "--things", "1000", url)
	f("--jobs: there is no {jobId}", "--jobs", "5", url+"/{thingName}")
	f(`["signature" "http`, "--verify", "signature", url)
	f("cannot read assertion", "--assert", "p99", url)
	f("cannot write the report", "--json", filepath.Join(dir, "no", "folder"), url)
	f("cannot write the report", "--html", filepath.Join(dir, "no", "folder"), url)
	f("cannot read report", "diff", filepath.Join(dir, "none"), keys)
	f("not a report of this version", "merge", keys)
}

// An interrupted run fails if no answer was good, or if nothing was verified that should have been.
func TestVerdictOfInterrupted(t *testing.T) {
	f := func(good, failed int64, verified *report.Verified, want bool) {
		t.Helper()
		res := &report.Result{Interrupted: true, Counts: report.Counts{Good: good, Failed: failed}, Verified: verified}
		if err := verdict(res); (err != nil) != want {
			t.Errorf("interrupted after %d good and %d failed, %+v: %v", good, failed, verified, err)
		}
	}
	f(0, 0, nil, true)
	f(0, 5, nil, true)
	f(1, 5, nil, false)
	f(1, 0, &report.Verified{Documents: 1, URLs: 2}, true)
	f(1, 0, &report.Verified{Documents: 1, URLs: 2, Opened: 1}, false)
	f(1, 0, &report.Verified{}, false)
}

// Reports and errors do not show a URL's query or user info, which may be secret.
func TestReportHidesSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := func(what, text string) {
		t.Helper()
		if strings.Contains(text, "s3cr3t") {
			t.Errorf("%s shows the secret:\n%s", what, text)
		}
	}
	out, err := execute(t, "--concurrency", "1", "--count", "5", "--warmup", "0s", "--json", filepath.Join(dir, "r.json"), "--html", filepath.Join(dir, "r.html"),
		serve(t, "{}")+"/a?token=s3cr3t")
	if err != nil {
		t.Fatal(err)
	}
	contains(t, out, "/a?…")
	secret("the table", out)
	for _, name := range []string{"r.json", "r.html"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		secret(name, string(text))
	}
	for _, url := range []string{"http://user:s3cr3t@127.0.0.1:1/", "http://us%zzer:s3cr3t@h/?s3cr3t", "ftp://h/?s3cr3t", "http://127.0.0.1:1/?t=s3cr3t", "/?s3cr3t"} {
		if _, err := execute(t, "--concurrency", "1", "--count", "1", url); err == nil {
			t.Errorf("%s was accepted", url)
		} else {
			secret("the error of "+url, err.Error())
		}
	}
	_, err = execute(t, "http://h/", "http://user:s3cr3t@h/")
	secret("the error of two targets", err.Error())
}
