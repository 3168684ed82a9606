package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/presigner"
)

var (
	testKeys = presigner.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "s3cret"}
	testAWS  = []string{"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=s3cret", "AWS_REGION=eu-west-1"}
)

const testDocument = `{"files": [{"url": "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/firmware/v7.bin}"}],
 "for": "${aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/firmware/${thingName}/x}", "channel": "${aws:iot:parameter:channel}"}`

// verify checks a presigned URL with the test's keys.
func verify(t *testing.T, method, raw string) presigner.Verified {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		t.Fatal(err)
	}
	v, err := presigner.Verify(presigner.Verification{
		Method: method, Host: u.Host, RequestURI: u.RequestURI(), Time: time.Now(),
		Lookup: func(id string) (presigner.Credentials, bool) { return testKeys, id == testKeys.AccessKeyID },
	})
	if err != nil {
		t.Errorf("%s %s: %v", method, raw, err)
	}
	return v
}

func TestRender(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := gatetest.WriteFile(t, folder, "job.json", testDocument)
	for _, r := range []result{
		jobgate(t, "", testAWS, "render", "--thing-name", "sensor-1", "--parameter", "channel=beta", "--expires", "1h", file),
		jobgate(t, testDocument, testAWS, "render", "--thing-name=sensor-1", "--parameter=channel=beta", "--expires=1h", "-"),
	} {
		if r.code != 0 || r.err != "" {
			t.Fatalf("exit %d: %s", r.code, r.err)
		}
		parts := strings.Split(r.out, `"`)
		first, second := parts[5], parts[9]
		if v := verify(t, "GET", first); v.Path != "/firmware/v7.bin" || v.Expires != time.Hour || v.Region != "eu-west-1" {
			t.Errorf("first URL: %+v", v)
		}
		if v := verify(t, "GET", second); v.Path != "/firmware/sensor-1/x" {
			t.Errorf("second URL: %+v", v)
		}
		if !strings.Contains(r.out, `"channel": "beta"`) || strings.Contains(r.out, "${") {
			t.Errorf("document: %s", r.out)
		}
	}
}

// TestRenderFaults pins render's error messages and exit statuses.
func TestRenderFaults(t *testing.T) {
	t.Parallel()
	f := func(document string, env []string, args []string, wantCode int, want string) {
		t.Helper()
		r := jobgate(t, document, env, append([]string{"render"}, args...)...)
		if r.code != wantCode || !strings.HasPrefix(r.err, want) || r.out != "" {
			t.Errorf("%v: exit %d\nout  %s\ngot  %swant %s", args, r.code, r.out, r.err, want)
		}
	}
	f("", nil, nil, 2, "jobgate: accepts 1 arg(s), received 0\nRun 'jobgate render --help' for usage.\n")
	f("", nil, []string{"--wrong", "-"}, 2, "jobgate: unknown flag: --wrong\n")
	f("", nil, []string{"none.json"}, 1, "jobgate: cannot read the document: open none.json: no such file or directory\n")
	f("{\n  \"a\": \"${aws:iot:nothing:x}\"}", testAWS, []string{"-"}, 1, "jobgate: stdin:2:9: ")
	f("{\"a\": \"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k\"}", testAWS, []string{"-"}, 1, "jobgate: stdin:1:8: One or more parameters or placeholders are not terminated.")
	f("{\"a\": \"${aws:iot:s3-presigned-url-upload:https://s3.amazonaws.com/bkt/k}\"}", testAWS, []string{"-"}, 1, "jobgate: stdin:1:8: Not allowed to presign PUT arn:aws:s3:::bkt/k")
	f("{}", testAWS, []string{"--role", "down", "-"}, 1, `jobgate: cannot sign with role "down": it is not one of roles`)
	f("{}", testAWS, []string{"--expires", "8d", "-"}, 1, `jobgate: cannot sign for --expires "8d": allowed 1s..7d, written like 90s, 15m, 1h or 7d`)
	f("{}", testAWS, []string{"--set", "presign.expires", "-"}, 2, `jobgate: cannot use --set "presign.expires": want KEY=VALUE`)
	f("{}", testAWS, []string{"--set", "presign.expires=8d", "-"}, 1, `jobgate: flag --set: presign.expires: "8d" is out of range; allowed: 60s..7d`)
	f(testDocument, []string{"AWS_REGION=eu-west-1"}, []string{"--thing-name=s", "--parameter=channel=x", "-"}, 1, "jobgate: cannot sign with the gateway's own credentials (presign.role is not set): ")
}

// TestRenderPlain: a document without URLs needs no credentials.
func TestRenderPlain(t *testing.T) {
	t.Parallel()
	if r := jobgate(t, "{\"a\": \"${other}\"}\n", nil, "render", "-"); r.code != 0 || r.out != "{\"a\": \"${other}\"}\n" {
		t.Errorf("%+v", r)
	}
}

func TestPresign(t *testing.T) {
	t.Parallel()
	f := func(method, object, wantHost, wantPath, wantVersion string, args ...string) {
		t.Helper()
		folder := t.TempDir()
		file := gatetest.WriteFile(t, folder, "jobgate.yaml", "presign: {allow_upload: ['*'], expires: 5m}\n")
		r := jobgate(t, "", testAWS, append([]string{"presign", "--config", file, "--method", method, object}, args...)...)
		if r.code != 0 || r.err != "" {
			t.Fatalf("%s %s: exit %d: %s", method, object, r.code, r.err)
		}
		v := verify(t, strings.ToUpper(method), r.out)
		u, _ := url.Parse(strings.TrimSpace(r.out))
		if u.Host != wantHost || v.Path != wantPath || v.VersionID != wantVersion {
			t.Errorf("%s %s: %s", method, object, r.out)
		}
	}
	f("GET", "s3://firmware/v7.bin", "firmware.s3.eu-west-1.amazonaws.com", "/v7.bin", "")
	f("GET", "s3://my.firmware/v7.bin", "s3.eu-west-1.amazonaws.com", "/my.firmware/v7.bin", "")
	f("GET", "https://s3.us-west-2.amazonaws.com/firmware/a%20b.bin", "s3.us-west-2.amazonaws.com", "/firmware/a b.bin", "")
	f("GET", "https://firmware.s3.us-west-2.amazonaws.com/v7.bin?versionId=abc", "firmware.s3.us-west-2.amazonaws.com", "/v7.bin", "abc")
	f("PUT", "https://s3.us-west-2.amazonaws.com/logs/a%20b.log", "s3.us-west-2.amazonaws.com", "/logs/a b.log", "")
	f("put", "s3://logs/x", "logs.s3.eu-west-1.amazonaws.com", "/x", "", "--expires", "90s")
}

func TestPresignFaults(t *testing.T) {
	t.Parallel()
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		r := jobgate(t, "", testAWS, append([]string{"presign"}, args...)...)
		if r.code != wantCode || !strings.HasPrefix(r.err, want) {
			t.Errorf("%v: exit %d\ngot  %swant %s", args, r.code, r.err, want)
		}
	}
	f(2, `jobgate: cannot presign for --method "DELETE": want GET or PUT`, "--method", "DELETE", "s3://b/k")
	f(2, `jobgate: cannot presign "s3://b/{k}": it is not percent-encoded; write %7B and %7D for braces`, "s3://b/{k}")
	f(1, `jobgate: cannot presign "https://example.com/x": `, "https://example.com/x")
	f(1, `jobgate: cannot presign "s3://bkt/k": Not allowed to presign PUT`, "--method", "PUT", "s3://bkt/k")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	good := gatetest.WriteFile(t, folder, "good.yaml", "listen: 127.0.0.1:0\nupstream: [http://127.0.0.1:9]\n")
	one := gatetest.WriteFile(t, folder, "one.yaml", "listen: 127.0.0.1:0\nroles: {r: {arn: 'arn:aws:iam::123456789012:role/r'}}\nroutes: [{path: /x, document: 's3://docs/x', role: r}]\n")
	bad := gatetest.WriteFile(t, folder, "bad.yaml", "listen: 127.0.0.1:0\nupstreams: [http://127.0.0.1:9]\npresign: {expires: 8d}\n")
	document := gatetest.WriteFile(t, folder, "job.json", testDocument)
	broken := gatetest.WriteFile(t, folder, "broken.json", "{\n \"a\": \"${aws:iot:nothing}\"\n}")
	f := func(wantCode int, wantOut, wantErr string, args ...string) {
		t.Helper()
		r := jobgate(t, "", nil, append([]string{"check"}, args...)...)
		got := strings.NewReplacer(folder+"/", "").Replace(r.out + "|" + r.err)
		if want := wantOut + "|" + wantErr; r.code != wantCode || !strings.HasPrefix(got, want) {
			t.Errorf("%v: exit %d\ngot  %s\nwant %s", args, r.code, got, want)
		}
	}
	f(0, "good.yaml: ok (0 routes, 0 roles)\n", "", "--config", good)
	f(0, "one.yaml: ok (1 route, 1 role)\n", "", "--config", one)
	f(0, "", "", "--quiet", "--config", good)
	f(1, "", "bad.yaml:2:1: upstreams: is not a known key; did you mean \"upstream\"?\nbad.yaml:3:20: presign.expires: \"8d\" is out of range; allowed: 60s..7d\n", "--config", bad)
	f(0, "job.json: ok (2 placeholders, different for each device)\n", "", "--parameter", "channel=x", document)
	f(1, "", "job.json:2:", document)
	f(1, "", "broken.json:2:8: ", broken)
	f(1, "good.yaml: ok (0 routes, 0 roles)\n", "broken.json:2:8: ", "--config", good, broken)
	f(1, "", "cannot read the document: open none.json", "none.json")
	f(1, "", "jobgate: cannot check for role \"x\": it is not one of roles", "--role", "x", document)
	f(1, "", "there is nothing to serve; set routes, upstream or jobs.enabled (with listen), or sidecar; `jobgate demo` runs without configuration\nauth.mode: is not set, and listen \":8080\" is reachable from other machines; allowed: mtls, sigv4, header or none; ")
}

// TestCheckJobs: check of a configuration with jobs opens no store, and does not need the keys file on this machine.
func TestCheckJobs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f := func(wantCode int, want, keys string) {
		t.Helper()
		if keys != "" {
			gatetest.WriteFile(t, folder, "keys.yaml", keys)
		}
		file := gatetest.WriteFile(t, folder, "jobgate.yaml", "listen: 127.0.0.1:8080\nauth: {mode: sigv4}\njobs: {enabled: true, store: '"+
			folder+"/jobs.db', access_keys_file: '"+folder+"/keys.yaml'}\n")
		if r := jobgate(t, "", testAWS, "check", "--quiet", "--config", file); r.code != wantCode || !strings.Contains(r.err, want) {
			t.Errorf("exit %d: %s, want %s", r.code, r.err, want)
		}
	}
	f(0, `keys.yaml" cannot be read on this machine; serve needs it where it runs`, "")
	f(1, "keys.yaml: access_keys[0] (A): secret has 5 characters; it takes 16 to 128", "access_keys: [{id: A, secret: short}]")
	f(0, "", "access_keys: [{id: A, secret: long enough a secret}]")
	if made, _ := filepath.Glob(filepath.Join(folder, "jobs.db*")); len(made) != 0 {
		t.Errorf("check created %v", made)
	}
}

// TestExamples checks every configuration in examples.
func TestExamples(t *testing.T) {
	t.Parallel()
	count, controls := 0, 0
	for name, text := range exampleConfigurations(t) {
		file := gatetest.WriteFile(t, t.TempDir(), "jobgate.yaml", text)
		r := jobgate(t, "", testAWS, "check", "--config", file)
		if r.code != 0 {
			t.Errorf("%s: %s", name, r.err)
		}
		if output := r.out + r.err; strings.Contains(output, "not encrypted") || strings.Contains(output, "any client") {
			t.Errorf("%s: an example must not have an open listener: %s", name, output)
		}
		if strings.Contains(text, "\ncontrol: ") {
			controls++
			for _, want := range []string{"\ncontrol_tls:", "\n  cert_file: /etc/jobgate/control/", "\n  key_file: /etc/jobgate/control/", "\n  access_keys_file: "} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: its control plane has no %q", name, want)
				}
			}
		}
		count++
	}
	if controls != 2 {
		t.Errorf("%d configurations with a control plane, want 2", controls)
	}
	if count != 5 {
		t.Errorf("%d configurations, want 5", count)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		if r := jobgate(t, "", nil, args...); r.code != wantCode || !strings.HasPrefix(r.out+r.err, want) {
			t.Errorf("%v: exit %d %s%s, want %s", args, r.code, r.out, r.err, want)
		}
	}
	f(0, "jobgate serves AWS IoT job documents")
	f(0, "jobgate devel (revision ", "version")
	f(0, "jobgate devel (revision ", "--version")
	f(2, "jobgate: unknown command \"rendr\"; did you mean \"render\"?\nRun 'jobgate --help' for usage.\n", "rendr")
	f(2, "jobgate: unknown command \"x\" for \"jobgate serve\"\n", "serve", "x")
	f(2, "jobgate: ", "health", "--timeout", "soon")
	f(0, "# bash completion", "completion", "bash")
}

func TestMan(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if r := jobgate(t, "", nil, "man", folder); r.code != 0 {
		t.Fatal(r.err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "jobgate-render.1"))
	for _, want := range []string{".SH SYNOPSIS\n\\fBjobgate render [flags] FILE\\fP\n", `\fB--thing-name\fP=""`, ".SH EXAMPLE\n"} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%q is not in the page: %v\n%s", want, err, page)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "jobgate-man.1")); err == nil {
		t.Error("man wrote a page for a hidden command")
	}
}

// TestDocumentWithMark: check accepts a byte order mark before a document, and render keeps it, as serve does.
func TestDocumentWithMark(t *testing.T) {
	t.Parallel()
	const marked = "\uFEFF" + `{"thing":"${aws:iot:parameter:name}"}`
	file := gatetest.WriteFile(t, t.TempDir(), "job.json", marked)
	if r := jobgate(t, "", testAWS, "check", "--parameter", "name", file); r.code != 0 || r.err != "" || !strings.Contains(r.out, "job.json: ok (") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := jobgate(t, marked, testAWS, "render", "--parameter", "name=a", "-"); r.code != 0 || r.out != "\uFEFF"+`{"thing":"a"}` {
		t.Errorf("exit %d: %q %s", r.code, r.out, r.err)
	}
}
