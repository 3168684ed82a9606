package main

import (
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
)

const routedConfig = `listen: 127.0.0.1:0
upstream: [http://127.0.0.1:9]
roles:
  firmware: {arn: "arn:aws:iam::123456789012:role/firmware", allow: ["arn:aws:s3:::firmware/*"]}
  maps: {arn: "arn:aws:iam::123456789012:role/maps", allow: ["arn:aws:s3:::maps/*"]}
presign: {allow: ["arn:aws:s3:::firmware/*", "arn:aws:s3:::maps/*"]}
routes:
  - {path: "/things/{thingName}/jobs/{jobId}/document", document: "s3://docs/{jobId}.json", role: firmware, parameters: {channel: stable}}
  - {path: "/maps/{thingName}", document: "file:///srv/maps/tiles.txt", role: maps, parameters: {zoom: "7"}}
  - {path: "/api/{thingName}", fill: true}
`

// TestCheckAsServed: check validates a document by the rules of the routes that can serve it.
func TestCheckAsServed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	configuration := gatetest.WriteFile(t, folder, "jobgate.yaml", routedConfig)
	f := func(wantCode int, want, name, text string, args ...string) {
		t.Helper()
		file := gatetest.WriteFile(t, folder, name, text)
		r := jobgate(t, "", testAWS, append([]string{"check", "--config", configuration, file}, args...)...)
		got := strings.ReplaceAll(r.err+strings.TrimPrefix(r.out, configuration+": ok (3 routes, 2 roles)\n"), folder+"/", "")
		if r.code != wantCode || got != want {
			t.Errorf("%s %s: exit %d\ngot  %s\nwant %s", name, text, r.code, got, want)
		}
	}
	object := func(bucket string) string {
		return "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/" + bucket + "/k}"
	}
	const notMaps = "job.json:1:2: Not allowed to presign GET arn:aws:s3:::maps/k: no pattern of roles.firmware.allow matches: ${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/maps/k}; as /things/{thingName}/jobs/{jobId}/document serves it\n"
	f(0, "job.json: ok (1 placeholder)\n", "job.json", `"`+object("firmware")+`"`)
	f(1, notMaps, "job.json", `"`+object("maps")+`"`)
	f(0, "job.json: ok (1 placeholder)\n", "job.json", `"`+object("maps")+`"`, "--role", "maps")
	f(0, "tiles.txt: ok (1 placeholder)\n", "tiles.txt", object("maps"))
	f(0, "job.json: ok (0 placeholders)\n", "job.json", `"${aws:iot:parameter:channel}"`)
	f(0, "tiles.txt: ok (0 placeholders)\n", "tiles.txt", `${aws:iot:parameter:zoom}`)
	r := jobgate(t, "", testAWS, "check", "-q", "--config", configuration, gatetest.WriteFile(t, folder, "tiles.txt", "${aws:iot:parameter:channel}"))
	if r.code != 1 || !strings.Contains(r.err, "tiles.txt:1:1: ") || !strings.Contains(r.err, "; as /maps/{thingName} serves it\n") {
		t.Errorf("another route's parameter: exit %d %s", r.code, r.err)
	}
	// A document that no route names must suit all routes.
	r = jobgate(t, "", testAWS, "check", "-q", "--config", configuration, gatetest.WriteFile(t, folder, "other.txt", object("maps")))
	if r.code != 1 || !strings.Contains(r.err, "as /things/{thingName}/jobs/{jobId}/document serves it") || strings.Contains(r.err, "/maps/{thingName}") {
		t.Errorf("a document that no route names: exit %d %s", r.code, r.err)
	}
}

// TestAllFaults: check and render report all errors of a document, not only the first.
func TestAllFaults(t *testing.T) {
	t.Parallel()
	document := "{\n \"é\": \"${aws:iot:nothing:x}\", \"b\": \"${aws:iot:s3-presigned-url:https://h/${thingName}}\",\n \"c\": \"${aws:iot:parameter:p}\"\n}"
	for _, command := range []string{"check", "render"} {
		r := jobgate(t, document, testAWS, command, "-")
		if r.code != 1 || strings.Count(r.err, "stdin:") != 3 {
			t.Errorf("%s: exit %d\n%s", command, r.code, r.err)
		}
		for _, place := range []string{"stdin:2:8: ", "stdin:2:37: ", "stdin:3:8: "} {
			if !strings.Contains(r.err, place) {
				t.Errorf("%s: %s is not in\n%s", command, place, r.err)
			}
		}
	}
}

// TestRenderAsRoute fills a document by the settings of a route. Flags take precedence.
func TestRenderAsRoute(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	configuration := gatetest.WriteFile(t, folder, "jobgate.yaml", strings.NewReplacer("role: firmware, ", "expires: 3m, ").Replace(routedConfig))
	document := `{"u": "${aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/firmware/${thingName}/${jobId}}", "c": "${aws:iot:parameter:channel}"}`
	r := jobgate(t, document, testAWS, "render", "--config", configuration, "--path", "/things/sensor-1/jobs/v7/document?x=y", "-")
	if r.code != 0 {
		t.Fatal(r.err)
	}
	parts := strings.Split(r.out, `"`)
	if v := verify(t, "GET", parts[3]); v.Path != "/firmware/sensor-1/v7" || v.Expires.Minutes() != 3 || parts[7] != "stable" {
		t.Errorf("%+v in %s", v, r.out)
	}
	r = jobgate(t, document, testAWS, "render", "--config", configuration, "--path", "/things/sensor-1/jobs/v7/document", "--thing-name", "b", "--parameter", "channel=beta", "--expires", "1h", "-")
	parts = strings.Split(r.out, `"`)
	if v := verify(t, "GET", parts[3]); v.Path != "/firmware/b/v7" || v.Expires.Hours() != 1 || parts[7] != "beta" {
		t.Errorf("%+v in %s", v, r.out)
	}
	r = jobgate(t, document, testAWS, "render", "--config", configuration, "--path", "/nowhere", "-")
	if want := `jobgate: cannot fill for --path "/nowhere": no route matches it` + "\n"; r.code != 1 || r.err != want {
		t.Errorf("exit %d %s", r.code, r.err)
	}
}
