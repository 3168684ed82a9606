package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/gatetest"
)

// TestSignedDevices: with auth.mode sigv4, a device gets only the jobs of the things of its access key, and unsigned requests
// are refused.
func TestSignedDevices(t *testing.T) {
	t.Parallel()
	s := newJobsSite(t)
	route := "routes: [{path: '/things/{thingName}/manual', document: 'file://" + s.folder + "/doc.json'}]\n"
	gatetest.WriteFile(t, s.folder, "doc.json", "{}")
	s.configure(func(text string) string { return text + "auth: {mode: sigv4}\n" + route })
	s.start()
	s.operate(200, "", "POST", "/things/sensor-1", "{}")
	s.create(200, "", "first", `{"url": "`+s.placeholder()+`"}`, richARN)
	const data = "iot-jobs-data"
	wrong := sensorKey
	wrong.SecretAccessKey += "!"
	f := func(key aws.Credentials, service, listener, path string, wantStatus int, want string) {
		t.Helper()
		if status, body := s.ask(key, service, listener, "GET", path, ""); status != wantStatus || !strings.Contains(body, want) {
			t.Errorf("%s %s at %s: got %d %s, want %d %s", key.AccessKeyID, path, listener, status, body, wantStatus, want)
		}
	}
	for _, listener := range []string{"listen", "control"} {
		f(sensorKey, data, listener, "/things/sensor-1/jobs/first", 200, "firmware/v7.bin?")
		f(sensorKey, data, listener, "/things/sensor-2/jobs/first", 403, "AccessDeniedException")
		f(operatorKey, data, listener, "/things/sensor-1/jobs/first", 200, "firmware/v7.bin?")
		f(wrong, data, listener, "/things/sensor-1/jobs/first", 403, "InvalidSignatureException")
		f(aws.Credentials{}, "", listener, "/things/sensor-1/jobs/first", 403, "MissingAuthenticationTokenException")
	}
	f(sensorKey, "iot", "control", "/jobs/first", 403, "AccessDeniedException")
	f(sensorKey, data, "listen", "/things/sensor-1/manual", 200, "{}")
	f(sensorKey, data, "listen", "/things/sensor-2/manual", 403, "Forbidden")
	f(aws.Credentials{}, "", "listen", "/things/sensor-1/manual", 403, "MissingAuthenticationToken")

	// A new keys file applies automatically. An invalid one is refused.
	admin := "http://" + s.d.Address("admin")
	gatetest.WriteFile(t, s.folder, "keys.yaml", "access_keys: [{id: A, secret: short}]\n")
	if status, body := fetch(t, "POST", admin+"/-/reload"); status != 400 || !strings.Contains(body, "secret has 5 characters") {
		t.Errorf("reload of an invalid keys file: %d %s", status, body)
	}
	f(sensorKey, data, "listen", "/things/sensor-1/jobs/first", 200, "")
	gatetest.WriteFile(t, s.folder, "keys.yaml", keysFile(operatorKey))
	awaitText(t, func() string {
		_, body := s.ask(sensorKey, data, "listen", "GET", "/things/sensor-1/jobs/first", "")
		return body
	}, "UnrecognizedClientException")
	f(operatorKey, data, "listen", "/things/sensor-1/jobs/first", 200, "")
}

// TestJobsReload: a reload changes what jobs may sign, existing jobs included.
func TestJobsReload(t *testing.T) {
	t.Parallel()
	s := newJobsSite(t)
	s.start()
	s.operate(200, "", "POST", "/things/sensor-1", "{}")
	s.create(200, "", "first", `{"url": "`+s.placeholder()+`"}`, richARN)
	reload := func(wantStatus int, want, old, new string) {
		t.Helper()
		s.configure(func(text string) string { return strings.Replace(text, old, new, 1) })
		if status, body := fetch(t, "POST", "http://"+s.d.Address("admin")+"/-/reload"); status != wantStatus || !strings.Contains(body, want) {
			t.Fatalf("reload with %s: %d %s", new, status, body)
		}
	}
	f := func(wantStatus int, want string) {
		t.Helper()
		if status, body := s.ask(aws.Credentials{}, "", "listen", "GET", "/things/sensor-1/jobs/$next", ""); status != wantStatus || !strings.Contains(body, want) {
			t.Errorf("got %d %s, want %d %s", status, body, wantStatus, want)
		}
	}
	f(200, "X-Amz-Expires=120&")
	reload(200, "", "/firmware/*", "/other/*")
	f(503, "The document of job first is not available with the gateway's current configuration.")
	reload(200, "", "", "")
	f(200, "X-Amz-Expires=120&")
	reload(200, "", `rich"}`, `rich", max_expires: 60s}`)
	f(200, "X-Amz-Expires=60&")
	reload(200, "", `jobs/rich"}`, `jobs/other"}`)
	f(503, "The document of job first is not available with the gateway's current configuration.")
	reload(400, "cannot reload: jobs changed, which needs a restart; nothing was changed", "/jobs.db", "/other.db")
	reload(400, "presign.quantum (with jobs) changed", "presign: {", "presign: {quantum: 2s, ")
	f(503, "The document of job first is not available with the gateway's current configuration.")
}

var generatedKey = regexp.MustCompile(`AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+) `)

// TestWatch follows jobs with the access key that a gateway without a keys file generates and prints.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := newJobsSite(t)
	s.configure(func(text string) string {
		return strings.Replace(text, ", access_keys_file: "+s.folder+"/keys.yaml", "", 1)
	})
	s.start()
	key := generatedKey.FindStringSubmatch(s.d.Log.String())
	if key == nil || !strings.Contains(s.d.Log.String(), "aws --endpoint-url http://"+s.d.Address("control")+" iot list-jobs\n") {
		t.Fatalf("the gateway printed no key: %s", s.d.Log)
	}
	operator := aws.Credentials{AccessKeyID: key[1], SecretAccessKey: key[2]}
	env := []string{"AWS_ACCESS_KEY_ID=" + key[1], "AWS_SECRET_ACCESS_KEY=" + key[2]}
	url := "http://" + s.d.Address("control")
	all := startDaemon(t, env, "jobs", "watch", "--endpoint-url", url)
	one := startDaemon(t, env, "jobs", "watch", "--config", filepath.Join(s.folder, "jobgate.yaml"), "--set", "control="+s.d.Address("control"), "--job-id", "other", "--json")
	awaitText(t, all.Log.String, "following the jobs of "+url+"\n")
	awaitText(t, one.Log.String, "following the jobs of "+url+"\n")
	change := func(listener, method, path, body string) {
		t.Helper()
		if status, text := s.ask(operator, "iot", listener, method, path, body); status != 200 {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
	}
	const target = `{"targets": ["arn:aws:iot:us-east-1:000000000000:thing/sensor-1"], "document": "{}"}`
	change("control", "POST", "/things/sensor-1", "{}")
	change("control", "PUT", "/jobs/first", target)
	change("listen", "POST", "/things/sensor-1/jobs/first", `{"status":"SUCCEEDED"}`)
	awaitText(t, all.Out.String, "Z job.completed first COMPLETED SUCCEEDED=1\n")
	for _, want := range []string{"Z job.created first IN_PROGRESS", "Z execution.updated first sensor-1 SUCCEEDED number=1 version=2\n"} {
		if !strings.Contains(all.Out.String(), want) {
			t.Errorf("%q is not in\n%s", want, all.Out)
		}
	}
	change("control", "PUT", "/jobs/other", target)
	if text := awaitText(t, one.Out.String, `"jobId":"other"`); !strings.HasPrefix(text, `{"type":"job.created","time":"`) || strings.Contains(text, "first") {
		t.Errorf("--job-id --json: %s", text)
	}

	// watch ends at Ctrl-C, and when the gateway stops. The gateway does not wait for watchers.
	one.Signal(syscall.SIGINT)
	if code := one.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	follow := startDaemon(t, env, "jobs", "show", "other", "--follow", "--exit-status", "--endpoint-url", url)
	awaitText(t, follow.Out.String, " other IN_PROGRESS QUEUED=1\n")
	follow.Signal(syscall.SIGTERM)
	if code := follow.Wait(); code != 1 || !strings.Contains(follow.Log.String(), `jobgate: job "other" has not ended: IN_PROGRESS QUEUED=1`) {
		t.Errorf("show --follow --exit-status: exit %d %s", code, follow.Log)
	}
	s.stop()
	if code := all.Wait(); code != 1 || !strings.Contains(all.Log.String(), "jobgate: jobs: the event stream has ended\n") {
		t.Errorf("exit %d %s", code, all.Log)
	}
	if r := jobgate(t, "", nil, "jobs", "watch", "--endpoint-url", url); r.code != 1 || !strings.Contains(r.err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of jobs.access_keys_file") {
		t.Errorf("without credentials: %+v", r)
	}
	if r := jobgate(t, "", env, "jobs", "watch", "--endpoint-url", "here"); r.code != 1 || !strings.Contains(r.err, "it is not an address like") {
		t.Errorf("an invalid --endpoint-url: %+v", r)
	}
}

// TestJobNamesAreUsage: a name that would reach another operation is wrong usage.
func TestJobNamesAreUsage(t *testing.T) {
	t.Parallel()
	f := func(want string, args ...string) {
		t.Helper()
		r := jobgate(t, "", testAWS, append(append([]string{"jobs"}, args...), "--endpoint-url", "http://127.0.0.1:1")...)
		if r.code != 2 || !strings.Contains(r.err, want) {
			t.Errorf("%q: %+v, want exit 2 and %q", args, r, want)
		}
	}
	f(`jobgate: cannot use job "../things/s": a job ID has 1 to 64 characters of [a-zA-Z0-9_-]`, "delete", "../things/s", "--yes")
	f(`invalid argument "a b" for "--job-id" flag: a job ID has 1 to 64 `, "watch", "--job-id", "a b")
	f(`invalid argument "" for "--job-id" flag: a job ID has 1 to 64 `, "watch", "--job-id", "")
}
