package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/presigner/miniotest"
)

// TestDocument tests the main function: AssumeRole, a template, a document, its URLs.
func TestDocument(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const template = `{"v1": "${aws:iot:s3-presigned-url:$S3/$BUCKET/firmware/v7.bin}",
 "v2": "${aws:iot:s3-presigned-url-v2:$S3/$BUCKET/firmware/a%20b%2Bc.bin}", "channel": "${aws:iot:parameter:channel}", "other": "${left alone}"}`
	s.object("firmware/v7.bin", "0123456789")
	s.object("firmware/a b+c.bin", "awkward")
	s.object("jobs/install.json", template)
	s.file("local.json", template)
	g := s.serve(`
routes:
  - {path: "/things/{thingName}/jobs/{jobId}/document", document: "s3://$BUCKET/jobs/{jobId}.json", content_type: application/json, parameters: {channel: stable}}
  - {path: "/files/{jobId}", document: "file://$DIR/{jobId}.json", parameters: {channel: beta}}
roles:
  download:
    arn: ` + downloadARN + `
    external_id: fleet-42
    session_name: gateway-1
    allow: ["arn:aws:s3:::$BUCKET/firmware/*"]
presign: {role: download}
cache: {role: download}
`)
	fromS3 := get(t, "http://"+g.devices+"/things/sensor-1/jobs/install/document")
	fromFile := get(t, "http://"+g.devices+"/files/local")
	for _, a := range []answer{fromS3, fromFile} {
		d := a.document(t)
		if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" || d["other"] != "${left alone}" {
			t.Errorf("got %v %s", a.header, a.body)
		}
		for name, want := range map[string]string{"v1": "0123456789", "v2": "awkward"} {
			if got := get(t, d[name]); got.status != http.StatusOK || got.body != want {
				t.Errorf("%s: GET: %d %s, want %q", name, got.status, got.body, want)
			}
		}
	}
	if a, b := fromS3.document(t)["channel"], fromFile.document(t)["channel"]; a != "stable" || b != "beta" {
		t.Errorf("parameters: %q %q", a, b)
	}
	head := do(t, http.MethodHead, "http://"+g.devices+"/files/local", "")
	if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %+v", head)
	}
	checkTampering(t, fromS3.document(t)["v1"])
	checkAssumeRole(t, s.proxy)
}

// checkTampering checks that a URL becomes invalid if a part, or the method, is changed.
func checkTampering(t *testing.T, url string) {
	t.Helper()
	for _, part := range []string{"X-Amz-Signature=", "firmware/", "X-Amz-Expires=", "X-Amz-Date=", "X-Amz-Security-Token=", "X-Amz-Credential="} {
		at := strings.Index(url, part) + len(part)
		flipped := byte('1')
		if url[at] == flipped {
			flipped = '2'
		}
		if a := get(t, url[:at]+string(flipped)+url[at+1:]); a.status != http.StatusForbidden {
			t.Errorf("a character changed after %q: %d, want 403", part, a.status)
		}
	}
	if a := do(t, http.MethodPut, url, "x"); a.status != http.StatusForbidden {
		t.Errorf("PUT to a GET URL: %d, want 403", a.status)
	}
	if a := get(t, url, "Range: bytes=2-5"); a.status != http.StatusPartialContent || a.body != "2345" {
		t.Errorf("a range: %d %q", a.status, a.body)
	}
}

// checkAssumeRole checks that AssumeRole was called once, and with which parameters.
func checkAssumeRole(t *testing.T, p *miniotest.Proxy) {
	t.Helper()
	var got []string
	for _, r := range p.Requests() {
		if r.Kind == miniotest.AssumeRole {
			got = append(got, fmt.Sprint(r.Form.Get("RoleArn"), " ", r.Form.Get("RoleSessionName"), " ", r.Form.Get("ExternalId"), " ", r.Form.Get("DurationSeconds")))
		}
	}
	if want := downloadARN + " gateway-1 fleet-42 43200"; len(got) != 1 || got[0] != want {
		t.Errorf("the AssumeRole requests are %q, want %q once", got, want)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.minio.EnableVersioning(t, s.bucket)
	first := s.object("fw.bin", "one")
	s.object("fw.bin", "two")
	s.file("doc.json", `{"latest": "${aws:iot:s3-presigned-url-v2:$S3/$BUCKET/fw.bin}",
"first": "${aws:iot:s3-presigned-url-v2:$S3/$BUCKET/fw.bin%3FversionId%3D`+first+`}", "plain": "${aws:iot:s3-presigned-url-v2:$S3/$BUCKET/fw.bin?versionId=`+first+`}"}`)
	g := s.serve("routes: [{path: /doc, document: \"file://$DIR/doc.json\"}]" + downloadRole)
	d := get(t, "http://"+g.devices+"/doc").document(t)
	for name, want := range map[string]string{"latest": "two", "first": "one", "plain": "one"} {
		if a := get(t, d[name]); a.status != http.StatusOK || a.body != want {
			t.Errorf("%s: %d %s, want %q", name, a.status, a.body, want)
		}
	}
	if a := get(t, strings.Replace(d["first"], "versionId=", "versionid=", 1)); a.status != http.StatusForbidden {
		t.Errorf("another version: %d, want 403", a.status)
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.file("upload.json", `{"log": "${aws:iot:s3-presigned-url-upload:$S3/$BUCKET/logs/${thingName}/${jobId}.log}"}`)
	g := s.serve(`
routes: [{path: "/things/{thingName}/{jobId}", document: "file://$DIR/upload.json"}]
roles: {upload: {arn: "` + downloadARN + `", allow_upload: ["arn:aws:s3:::$BUCKET/logs/*"]}}
presign: {role: upload}
`)
	for _, thing := range []string{"sensor-1", "sensor:2"} {
		url := get(t, "http://"+g.devices+"/things/"+thing+"/j7").document(t)["log"]
		if a := do(t, http.MethodPut, url, "log of "+thing, "Content-Type: text/plain"); a.status != http.StatusOK {
			t.Fatalf("PUT: %d %s", a.status, a.body)
		}
		if got := string(s.minio.GetObject(t, s.bucket, "logs/"+thing+"/j7.log")); got != "log of "+thing {
			t.Errorf("stored %q", got)
		}
		if a := get(t, url); a.status != http.StatusForbidden {
			t.Errorf("GET of an upload URL: %d, want 403", a.status)
		}
	}
}

// TestExpired waits until a URL from jobgate presign has expired.
func TestExpired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	gatetest.WriteFile(t, s.folder, "jobgate.yaml", s.text(downloadRole))
	out, errs, code := run(t, s.folder, s.proxy.Env(), "presign", "--expires", "5s", s.text("$S3/$BUCKET/fw.bin"))
	if code != 0 {
		t.Fatalf("presign: %d %s", code, errs)
	}
	url := strings.TrimSpace(out)
	answer{body: url}.noteSecrets()
	if a := get(t, url); a.status != http.StatusOK || a.body != "bytes" {
		t.Fatalf("GET: %d %s", a.status, a.body)
	}
	time.Sleep(5100 * time.Millisecond)
	if a := get(t, url); a.status != http.StatusForbidden || !strings.Contains(a.body, "expired") {
		t.Errorf("GET after the expiry: %d %s, want 403", a.status, a.body)
	}
}

// TestQuantum checks that the document is the same, byte for byte, during a quantum.
func TestQuantum(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	g := s.serve(`
routes: [{path: "/things/{thingName}", document: "file://$DIR/doc.json"}]
roles: {download: {arn: "` + downloadARN + `"}}
presign: {role: download, expires: 8h, quantum: 4h}
`)
	first := get(t, "http://"+g.devices+"/things/a")
	tag := first.header.Get("ETag")
	if tag == "" || !strings.HasPrefix(first.header.Get("Cache-Control"), "private, max-age=") {
		t.Fatalf("header %v", first.header)
	}
	time.Sleep(time.Second) // with a quantum of a second, the URLs would have changed
	if second := get(t, "http://"+g.devices+"/things/b"); second.body != first.body || second.header.Get("ETag") != tag {
		t.Errorf("the document changed within the quantum: %v %s", second.header, second.body)
	}
	if a := get(t, "http://"+g.devices+"/things/c", "If-None-Match: "+tag); a.status != http.StatusNotModified || a.body != "" {
		t.Errorf("If-None-Match: %d %s", a.status, a.body)
	}
	if a := get(t, first.document(t)["url"]); a.status != http.StatusOK || a.body != "bytes" {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
}
