package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

const everything = `listen: 127.0.0.1:8080
upstream: [http://127.0.0.1:9000]
auth: {mode: header, trusted_proxies: [10.0.0.0/8]}
routes:
  - path: /things/{thingName}/jobs/{jobId}/document
    document: s3://job-documents/{jobId}.json
    role: download
    expires: 10m
    parameters: {channel: "stable: #1", "true": "7"}
  - path: /api/{thingName}
    fill: true
roles:
  download:
    arn: arn:aws:iam::123456789012:role/download
    allow: ["arn:aws:s3:::firmware/*"]
    session_policy: |
      {"Version": "2012-10-17"}
presign: {allow: ["arn:aws:s3:::firmware/*"], bucket_regions: {my.bucket: eu-west-1}}
cache: {max_bytes: 1000000000B}
`

// TestWriteTo checks that the printed configuration reads back as the same configuration.
func TestWriteTo(t *testing.T) {
	first, err := Load(Options{Path: "j.yaml", Source: []byte(everything), Environ: []string{"JOBGATE_MEMORY=low"}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := first.WriteTo(&out); err != nil || n != int64(out.Len()) {
		t.Fatalf("WriteTo = %d, %v; wrote %d", n, err, out.Len())
	}
	for _, want := range []string{
		"listen: \"127.0.0.1:8080\"  # j.yaml:1:9\n",
		"memory: \"low\"  # environment JOBGATE_MEMORY\n",
		"    expires: 10m  # j.yaml:8:14\n",
		"  quantum: 1s\n",
		"sidecar: \"\"\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	second, err := Load(Options{Path: "again.yaml", Source: out.Bytes()})
	if err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if a, b := first.Config, second.Config; !reflect.DeepEqual(a, b) {
		t.Errorf("first  %+v\nsecond %+v", a, b)
	}
}

func TestWriteToRedacts(t *testing.T) {
	l, err := Load(Options{Path: "j.yaml", Source: []byte(served + `
routes: [{path: /x, document: "https://h/x?token=s3cret"}]
roles: {a: {arn: "arn:aws:iam::123456789012:role/a", external_id: s3cret}}
`)})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := l.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "s3cret") || strings.Count(out.String(), redacted) != 2 {
		t.Errorf("not redacted:\n%s", out.String())
	}
}

func TestRedactURL(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := redactURL(text); got != want {
			t.Errorf("redactURL(%q) = %q, want %q", text, got, want)
		}
	}
	f("plain", "plain")
	f("https://h/p", "https://h/p")
	f("https://u:p@h/p?q=1", "https://REDACTED@h/p?REDACTED")
	f("https://h?q=@", "https://h?REDACTED")
	f("s3://b/a@b", "s3://b/a@b")
}
