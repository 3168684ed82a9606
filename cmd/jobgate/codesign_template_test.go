package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/presigner/miniotest"
)

// template requests a document of the operator's templates.
func (s *codeSite) template(name string) (int, signedDocument, string) {
	s.t.Helper()
	status, body := fetch(s.t, "GET", "http://"+s.d.Address("listen")+"/templates/"+name)
	var d signedDocument
	if status == 200 {
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			s.t.Fatalf("%s: %v", body, err)
		}
	}
	return status, d, body
}

// templateVersion returns the version whose signature a template's document contains, or the status if it is not 200.
func (s *codeSite) templateVersion(name string) string {
	s.t.Helper()
	status, d, _ := s.template(name)
	if status != 200 {
		return fmt.Sprint(status)
	}
	return d.Sig.PayloadLocation.S3.Version
}

// TestCodeSignTemplates: a request waits for a template's signatures as long as for its source. A signature completed later
// is there for the next request. If an object cannot be signed, the previous document stays in service.
func TestCodeSignTemplates(t *testing.T) {
	t.Parallel()
	s := newCodeSite(t)
	s.stop()
	s.configure(func(text string) string {
		text = strings.Replace(text, "cache: {role: rich}", "cache: {role: rich, fresh: 1s}\nlimits: {upstream_timeout: 1s}", 1)
		return text + strings.Replace(fmt.Sprintf(codeSignConfig, s.key, s.bucket, s.folder), "role: rich}]",
			`role: rich, parameters: {code: "${aws:iot:code-sign-signature-value:s3://us-east-1.`+s.bucket+`/firmware/v7.bin@`+s.new+`}"}}]`, 1)
	})
	s.start()

	s.proxy.Inject(miniotest.Faults{S3: miniotest.Fault{Delay: 3 * time.Second}})
	gatetest.WriteFile(t, s.folder, "slow.json", s.text("firmware/v7.bin", s.old))
	if status, _, body := s.template("slow"); status != 503 || !strings.Contains(body, "not available now") {
		t.Errorf("a slow signature: %d %s", status, body)
	}
	awaitText(t, func() string { return s.templateVersion("slow") }, s.old)
	if n := s.reads(); n != 1 {
		t.Errorf("%d reads of a slow object, want 1", n)
	}

	// The template changes while S3 is down.
	s.proxy.Stop()
	gatetest.WriteFile(t, s.folder, "slow.json", s.text("firmware/v7.bin", s.new))
	gatetest.WriteFile(t, s.folder, "fresh.json", s.text("firmware/v7.bin", s.new))
	failed := func() string {
		if version := s.templateVersion("slow"); version != s.old {
			t.Fatalf("without S3 the template's document has version %s, want the previous one", version)
		}
		return s.d.Log.String()
	}
	awaitText(t, failed, `msg="cannot sign an object"`)
	if status, _, body := s.template("fresh"); status != 503 {
		t.Errorf("a new template without S3: %d %s", status, body)
	}
	s.proxy.Inject(miniotest.Faults{})
	s.proxy.Resume(t)
	awaitText(t, func() string { return s.templateVersion("slow") }, s.new)

	// A parameter of the route is text, not a document.
	before := s.reads()
	gatetest.WriteFile(t, s.folder, "parameter.json", `{"sig":"${aws:iot:parameter:code}"}`)
	if status, _, body := s.template("parameter"); status != 502 || !strings.Contains(body, "cannot stand in the value of a parameter") {
		t.Errorf("a route's parameter: %d %s", status, body)
	}
	if n := s.reads() - before; n != 0 {
		t.Errorf("%d reads for a route's parameter, want 0", n)
	}
	s.stop()
}

// TestCodeSignKeyFile: if a key file is deleted, the loaded key stays in use. A key file that other users can read is used, with a
// warning.
func TestCodeSignKeyFile(t *testing.T) {
	t.Parallel()
	s := newCodeSite(t)
	s.create(200, `"jobId":"old"`, "old", s.text("firmware/v7.bin", s.old), richARN)
	text, err := os.ReadFile(s.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.key); err != nil {
		t.Fatal(err)
	}
	if body := s.reload(400); !strings.Contains(body, "firmware.pem") || !strings.Contains(body, "no such file") {
		t.Errorf("reload without the key file: %s", body)
	}
	s.verify("old", "version one", s.old, s.public)
	s.create(200, `"jobId":"new"`, "new", s.text("firmware/v7.bin", s.new), richARN)
	s.verify("new", "version two!", s.new, s.public)
	if r := jobgate(t, "", s.proxy.Env(), "serve", "--config", s.folder+"/jobgate.yaml", "--set", "jobs.store="+t.TempDir()+"/other.db"); r.code != 1 || !strings.Contains(r.err, "firmware.pem") {
		t.Errorf("start without the key file: %+v", r)
	}

	if err := os.WriteFile(s.key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.key, 0o644); err != nil { // regardless of the umask
		t.Fatal(err)
	}
	s.reload(200)
	awaitText(t, s.d.Log.String, "has mode 0644: others than its owner may use it; chmod 600")
	s.verify("old", "version one", s.old, s.public)
	if log := s.d.Log.String(); strings.Contains(log, strings.Split(string(text), "\n")[1]) {
		t.Error("the log contains the key")
	}
	s.stop()
}
