package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/codesign"
	"jobgate/presigner/miniotest"
)

// signingKey writes a private key and returns its public half.
func signingKey(t *testing.T, path string, signer crypto.Signer) crypto.PublicKey {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return signer.Public()
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signedDocument is the filled form of the document from codeSite.text, which has a placeholder of each kind.
type signedDocument struct {
	URL   string
	Sig   signatureObject
	Value []byte
}

type signatureObject struct {
	RawPayloadSize     int
	Signature          []byte
	SignatureAlgorithm string
	PayloadLocation    struct {
		S3 struct{ BucketName, Key, Version string }
	}
}

// codeSite is a gateway with jobs and code signing. Its MinIO bucket holds a file in two versions.
type codeSite struct {
	*jobsSite
	minio    *miniotest.Server
	key      string // the key file
	public   crypto.PublicKey
	old, new string       // versions of firmware/v7.bin
	retried  atomic.Int64 // 503 answers that createWithRetry retried
}

const codeSignConfig = `
codesign: {profiles: {firmware: {key_file: %q, role: rich, allow: ["arn:aws:s3:::%s/firmware/*"]}}}
routes: [{path: "/templates/{jobId}", document: "file://%s/{jobId}.json", role: rich}]
`

// newFirmware is newCodeSite before its gateway starts.
func newFirmware(t *testing.T) *codeSite {
	t.Helper()
	s := &codeSite{jobsSite: newJobsSite(t), minio: miniotest.Start(t)}
	s.minio.EnableVersioning(t, s.bucket)
	s.old = s.minio.PutObject(t, s.bucket, "firmware/v7.bin", []byte("version one"))
	s.new = s.minio.PutObject(t, s.bucket, "firmware/v7.bin", []byte("version two!"))
	s.key = filepath.Join(s.folder, "firmware.pem")
	s.public = signingKey(t, s.key, ecKey(t))
	return s
}

func newCodeSite(t *testing.T) *codeSite {
	t.Helper()
	s := newFirmware(t)
	s.write("firmware/*")
	s.start()
	s.operate(200, `"thingName":"sensor-1"`, "POST", "/things/sensor-1", "{}")
	return s
}

// write writes the configuration, with the pattern of object keys that the profile allows.
func (s *codeSite) write(allow string) {
	s.t.Helper()
	s.configure(func(text string) string {
		return text + strings.Replace(fmt.Sprintf(codeSignConfig, s.key, s.bucket, s.folder), "/firmware/*", "/"+allow, 1)
	})
}

// reload reloads the configuration, and checks the status.
func (s *codeSite) reload(want int) string {
	s.t.Helper()
	status, body := fetch(s.t, "POST", "http://"+s.d.Address("admin")+"/-/reload")
	if status != want {
		s.t.Fatalf("reload: %d %s", status, body)
	}
	return body
}

// text returns a document with a placeholder of each kind for a version of an object.
func (s *codeSite) text(key, version string) string {
	file := "s3://us-east-1." + s.bucket + "/" + key + "@" + version
	url := s.proxy.URL + "/" + s.bucket + "/" + key + "%3FversionId%3D" + version
	return `{"url":"${aws:iot:s3-presigned-url-v2:` + url + `}","sig":"${aws:iot:code-sign-signature:` + file + `}","value":"${aws:iot:code-sign-signature-value:` + file + `}"}`
}

// fetch requests a job's document as the device does.
func (s *codeSite) fetch(job string) (int, signedDocument, string) {
	s.t.Helper()
	status, body := s.ask(aws.Credentials{}, "", "listen", "GET", "/things/sensor-1/jobs/"+job, "")
	var answer struct{ Execution struct{ JobDocument string } }
	var d signedDocument
	if status == 200 {
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			s.t.Fatalf("%s: %v", body, err)
		}
		if err := json.Unmarshal([]byte(answer.Execution.JobDocument), &d); err != nil {
			s.t.Fatalf("%s: %v", body, err)
		}
	}
	return status, d, body
}

// verify checks that the job's document has the URL of a file, and a signature of it that verifies with the public key.
func (s *codeSite) verify(job, content, version string, public crypto.PublicKey) {
	s.t.Helper()
	status, d, body := s.fetch(job)
	if status != 200 {
		s.t.Fatalf("%s: %d %s", job, status, body)
	}
	s.verifyDocument(d, content, version, public)
}

func (s *codeSite) verifyDocument(d signedDocument, content, version string, public crypto.PublicKey) {
	s.t.Helper()
	digest := sha256.Sum256([]byte(content))
	if !codesign.Verify(public, digest, d.Sig.Signature) || string(d.Value) != string(d.Sig.Signature) {
		s.t.Errorf("the signature of %q does not verify: %+v", content, d)
	}
	if at := d.Sig.PayloadLocation.S3; d.Sig.RawPayloadSize != len(content) || at.BucketName != s.bucket || at.Key != "firmware/v7.bin" || at.Version != version {
		s.t.Errorf("the signature object is %+v, want %d bytes of version %s", d.Sig, len(content), version)
	}
	if got, file := fetch(s.t, "GET", d.URL); version != "" && (got != 200 || file != content) && content != "gone" {
		s.t.Errorf("download by the URL: %d %s", got, file)
	}
}

// reads returns how many times firmware/v7.bin was read.
func (s *codeSite) reads() int { return s.proxy.Count(miniotest.Get, "/"+s.bucket+"/firmware/v7.bin") }

// TestCodeSign follows signatures through object versions, a change of key, a change of allow and a restart, with real S3.
func TestCodeSign(t *testing.T) {
	t.Parallel()
	s := newCodeSite(t)
	before := s.reads()
	s.create(200, `"jobId":"old"`, "old", s.text("firmware/v7.bin", s.old), richARN)
	s.create(200, `"jobId":"new"`, "new", s.text("firmware/v7.bin", s.new), richARN)
	s.create(200, `"jobId":"again"`, "again", s.text("firmware/v7.bin", s.old), richARN)
	if n := s.reads() - before; n != 2 {
		t.Errorf("%d reads for two versions, want 2", n)
	}
	s.verify("old", "version one", s.old, s.public)
	s.verify("new", "version two!", s.new, s.public)
	s.verify("$next", "version one", s.old, s.public)
	s.minio.PutObject(t, s.bucket, "firmware/v7.bin", []byte("version three"))
	s.verify("old", "version one", s.old, s.public)

	// The operator's templates.
	gatetest.WriteFile(t, s.folder, "release.json", s.text("firmware/v7.bin", s.old))
	_, body := fetch(t, "GET", "http://"+s.d.Address("listen")+"/templates/release")
	var d signedDocument
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	s.verifyDocument(d, "version one", s.old, s.public)

	// The command signs the same object, and verifies what the device got.
	file := "s3://us-east-1." + s.bucket + "/firmware/v7.bin@" + s.old
	command := func(stdin string, args ...string) result {
		return jobgate(t, stdin, s.proxy.Env(), append([]string{"codesign", "--config", filepath.Join(s.folder, "jobgate.yaml")}, args...)...)
	}
	signed := command("", file)
	var object signatureObject
	if err := json.Unmarshal([]byte(signed.out), &object); err != nil || !codesign.Verify(s.public, sha256.Sum256([]byte("version one")), object.Signature) || object.PayloadLocation != d.Sig.PayloadLocation {
		t.Errorf("%+v: %v", signed, err)
	}
	if r := command(signed.out, "--verify", "-", file); r.code != 0 || !strings.Contains(r.out, ": ok (11 bytes") {
		t.Errorf("%+v", r)
	}
	if r := command(signed.out, "--verify", "-", "s3://us-east-1."+s.bucket+"/firmware/v7.bin@"+s.new); r.code != 1 || !strings.Contains(r.err, "12") {
		t.Errorf("%+v", r)
	}

	// render signs it too.
	r := jobgate(t, `{"sig":"${aws:iot:code-sign-signature:`+file+`}"}`, s.proxy.Env(), "render", "--config", filepath.Join(s.folder, "jobgate.yaml"), "-")
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || !codesign.Verify(s.public, sha256.Sum256([]byte("version one")), d.Sig.Signature) {
		t.Errorf("%+v: %v", r, err)
	}

	// Creating a job reports what cannot be signed.
	const invalid = "InvalidRequestException"
	s.minio.PutObject(t, s.bucket, "secrets/key", []byte("secret"))
	s.create(400, "no profile of codesign.profiles allows arn:aws:s3:::"+s.bucket+"/secrets/key", "x",
		`{"sig":"${aws:iot:code-sign-signature:s3://us-east-1.`+s.bucket+`/secrets/key@`+s.old+`}"}`, richARN)
	s.create(400, "not found", "x", s.text("firmware/none.bin", s.old), richARN)
	s.create(400, "not found", "x", s.text("firmware/v7.bin", "11111111-2222-3333-4444-555555555555"), richARN)
	s.create(400, invalid, "x", s.text("firmware/v7.bin", "null"), richARN)

	// A new key: devices get its signatures, and the objects are not read again.
	before = s.reads()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := signingKey(t, s.key, rsaKey)
	s.reload(200)
	awaitText(t, func() string { _, d, _ := s.fetch("old"); return d.Sig.SignatureAlgorithm }, codesign.SHA256WithRSA)
	s.verify("old", "version one", s.old, public)
	awaitText(t, func() string { _, d, _ := s.fetch("new"); return d.Sig.SignatureAlgorithm }, codesign.SHA256WithRSA)
	if n := s.reads() - before; n != 1 { // the download by the URL
		t.Errorf("%d reads after the change of key, want 1", n)
	}
	_, body = fetch(t, "GET", "http://"+s.d.Address("listen")+"/templates/release")
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	s.verifyDocument(d, "version one", s.old, public)

	// An invalid key file leaves the previous key in use.
	for name, text := range map[string]string{"empty": "", "no key": "x", "encrypted": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"} {
		gatetest.WriteFile(t, s.folder, "firmware.pem", text)
		if body := s.reload(400); !strings.Contains(body, "firmware.pem") {
			t.Errorf("%s: %s", name, body)
		}
		s.verify("old", "version one", s.old, public)
	}
	s.public = signingKey(t, s.key, rsaKey)

	// While allow excludes the object, devices get 503. Afterwards they get the stored signature.
	s.write("elsewhere/*")
	s.reload(200)
	if status, _, body := s.fetch("old"); status != 503 {
		t.Errorf("outside allow: %d %s", status, body)
	}
	// The log says why. Such lines are rate-limited.
	awaitText(t, func() string { _, _, _ = s.fetch("old"); return s.d.Log.String() }, "no profile of codesign.profiles allows arn:aws:s3:::"+s.bucket)
	s.write("firmware/*")
	s.reload(200)
	s.verify("old", "version one", s.old, s.public)

	// New jobs cannot use a deleted version; running jobs still can.
	s.minio.DeleteVersion(t, s.bucket, "firmware/v7.bin", s.old)
	s.create(400, "not found", "x", s.text("firmware/v7.bin", s.old), richARN)
	if status, _, body := s.fetch("old"); status != 200 {
		t.Errorf("an existing job whose version was deleted: %d %s", status, body)
	}

	if _, body := fetch(t, "GET", "http://"+s.d.Address("admin")+"/metrics"); !strings.Contains(body, `jobgate_codesign_signatures_total{outcome="made"} `) || !strings.Contains(body, "jobgate_codesign_bytes_total ") {
		t.Errorf("metrics: %s", body)
	}
	s.stop()

	// After a restart, running jobs still have their signatures; the objects are not read again.
	before = s.reads()
	s.start()
	awaitText(t, func() string { status, _, _ := s.fetch("new"); return fmt.Sprint(status) }, "200")
	s.verify("new", "version two!", s.new, s.public)
	if n := s.reads() - before; n != 1 { // the download
		t.Errorf("%d reads after a restart, want 1", n)
	}
	s.stop()
}

// TestCodeSignUntrusted: untrusted text never causes a signature: a sidecar's request, a backend's answer, a device's
// statusDetails, the value of a parameter. If the setting allows it, the first two get signatures that are already stored.
func TestCodeSignUntrusted(t *testing.T) {
	t.Parallel()
	s := newFirmware(t)
	kept, unsigned := s.text("firmware/v7.bin", s.old), s.text("firmware/v7.bin", s.new)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, map[string]string{"/api/kept": kept, "/api/unsigned": unsigned}[r.URL.Path])
	}))
	defer backend.Close()
	configure := func(on bool) {
		s.configure(func(text string) string {
			text += fmt.Sprintf(codeSignConfig, s.key, s.bucket, s.folder)
			fill := fmt.Sprintf("routes:\n  - {path: \"/api/{name}\", fill: true, role: rich, codesign: %v}\n", on)
			text = text[:strings.Index(text, "routes:")] + fill
			return text + fmt.Sprintf("sidecar: 127.0.0.1:0\nsidecar_codesign: %v\nupstream: [%q]\n", on, backend.URL)
		})
	}
	configure(false)
	s.start()
	s.operate(200, `"thingName":"sensor-1"`, "POST", "/things/sensor-1", "{}")
	s.create(200, `"jobId":"j"`, "j", kept, richARN)
	before := s.reads()
	sidecar := func(document, query string) (int, string) {
		t.Helper()
		resp, err := http.Post("http://"+s.d.Address("sidecar")+"/render?role=rich"+query, "application/json", strings.NewReader(document))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	refused := func(what string, want, status int, body, text string) {
		t.Helper()
		if status != want || !strings.Contains(body, text) || strings.Contains(body, "SHA256with") {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	const off = "code signing is not configured for this document"
	status, body := sidecar(kept, "")
	refused("sidecar, off", 400, status, body, off)
	status, body = fetch(t, "GET", "http://"+s.d.Address("listen")+"/api/kept")
	refused("backend, off", 502, status, body, off)

	configure(true)
	s.reload(200)
	for name, get := range map[string]func() (int, string){
		"sidecar": func() (int, string) { return sidecar(kept, "") },
		"backend": func() (int, string) { return fetch(t, "GET", "http://"+s.d.Address("listen")+"/api/kept") },
	} {
		status, body := get()
		var d signedDocument
		if err := json.Unmarshal([]byte(body), &d); status != 200 || err != nil {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		before++ // the download
		s.verifyDocument(d, "version one", s.old, s.public)
	}
	status, body = sidecar(unsigned, "")
	refused("sidecar, not kept", 503, status, body, "not available now")
	status, body = fetch(t, "GET", "http://"+s.d.Address("listen")+"/api/unsigned")
	refused("backend, not kept", 503, status, body, "not available now")
	status, body = sidecar(`["${aws:iot:parameter:x}"]`, "&parameter.x=%24%7Baws:iot:code-sign-signature-value:s3://us-east-1."+s.bucket+"/firmware/v7.bin@"+s.old+"%7D")
	refused("parameter", 400, status, body, "value of a parameter")

	// A device's statusDetails are not filled.
	details := `{"status":"IN_PROGRESS","includeJobExecutionState":true,"statusDetails":{"x":"${aws:iot:code-sign-signature-value:s3://us-east-1.` + s.bucket + `/firmware/v7.bin@` + s.new + `}"}}`
	if status, body := s.ask(aws.Credentials{}, "", "listen", "POST", "/things/sensor-1/jobs/j", details); status != 200 || !strings.Contains(body, "${aws:iot:code-sign") {
		t.Errorf("statusDetails: %d %s", status, body)
	}
	s.operate(400, "A document parameter cannot hold a code-sign placeholder", "PUT", "/jobs/managed", `{"targets":["arn:aws:iot:us-east-1:000000000000:thing/sensor-1"],`+
		`"jobTemplateArn":"arn:aws:iot:us-east-1::jobtemplate/AWS-Download-File:1.0","documentParameters":{"downloadUrl":"${aws:iot:code-sign-signature-value:s3://us-east-1.`+s.bucket+`/firmware/v7.bin@`+s.new+`}","filePath":"/tmp/x"}}`)
	if n := s.reads() - before; n != 0 {
		t.Errorf("%d reads for untrusted text, want 0", n)
	}
	s.stop()
}
