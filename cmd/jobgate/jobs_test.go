package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/presigner/miniotest"
)

// The roles of the tests' jobs. The gateway lets both sign everything, but S3 denies what poorARN's session signs.
const (
	richARN = "arn:aws:iam::123456789012:role/jobs/rich"
	poorARN = "arn:aws:iam::123456789012:role/jobs/poor"
)

// jobsConfig has two verbs: the folder and the bucket.
const jobsConfig = `listen: 127.0.0.1:0
admin: 127.0.0.1:0
control: 127.0.0.1:0
roles:
  rich: {arn: "` + richARN + `"}
  poor: {arn: "` + poorARN + `", session_policy: '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}'}
presign: {allow: ["arn:aws:s3:::%[2]s/firmware/*"]}
jobs: {enabled: true, store: %[1]s/jobs.db, access_keys_file: %[1]s/keys.yaml}
cache: {role: rich}
drain: {delay: 0s}
`

var (
	operatorKey = aws.Credentials{AccessKeyID: "AKIAOPERATOR", SecretAccessKey: "the operator's own secret"}
	sensorKey   = aws.Credentials{AccessKeyID: "AKIASENSOR1", SecretAccessKey: "the secret of sensor-1"}
)

// keysFile returns the text of an access keys file.
func keysFile(keys ...aws.Credentials) string {
	text := "access_keys:\n"
	for _, k := range keys {
		text += fmt.Sprintf("  - {id: %s, secret: %q", k.AccessKeyID, k.SecretAccessKey)
		if k.AccessKeyID == sensorKey.AccessKeyID {
			text += `, things: "sensor-1"`
		}
		text += "}\n"
	}
	return text
}

// jobsSite is a gateway with jobs, and MinIO behind a proxy.
type jobsSite struct {
	t              *testing.T
	proxy          *miniotest.Proxy
	folder, bucket string
	d              *gatetest.Process
}

func newJobsSite(t *testing.T) *jobsSite {
	t.Helper()
	minio := miniotest.Start(t)
	s := &jobsSite{t: t, proxy: miniotest.NewProxy(t, minio), folder: t.TempDir(), bucket: strings.ToLower(t.Name())}
	minio.CreateBucket(t, s.bucket)
	minio.PutObject(t, s.bucket, "firmware/v7.bin", []byte("the firmware"))
	minio.PutObject(t, s.bucket, "documents/a b.json", []byte(`{"from": "a source", "url": "`+s.placeholder()+`"}`))
	gatetest.WriteFile(t, s.folder, "keys.yaml", keysFile(operatorKey, sensorKey))
	s.configure(func(text string) string { return text })
	return s
}

// configure writes the configuration that change returns.
func (s *jobsSite) configure(change func(string) string) {
	s.t.Helper()
	gatetest.WriteFile(s.t, s.folder, "jobgate.yaml", change(fmt.Sprintf(jobsConfig, s.folder, s.bucket)))
}

func (s *jobsSite) start() {
	s.t.Helper()
	s.d = startDaemon(s.t, s.proxy.Env(), "serve", "--config", filepath.Join(s.folder, "jobgate.yaml"))
	awaitText(s.t, func() string { _, body := fetch(s.t, "GET", "http://"+s.d.Address("admin")+"/readyz"); return body }, `"ready":true`)
}

func (s *jobsSite) stop() {
	s.t.Helper()
	s.d.Signal(syscall.SIGTERM)
	if code := s.d.Wait(); code != 0 {
		s.t.Errorf("exit %d", code)
	}
}

func (s *jobsSite) placeholder() string {
	return "${aws:iot:s3-presigned-url-v2:" + s.proxy.URL + "/" + s.bucket + "/firmware/v7.bin}"
}

// ask sends a request to a listener, signed for a service unless key is empty. It returns the status, and the error type
// followed by the body.
func (s *jobsSite) ask(key aws.Credentials, service, listener, method, path, body string) (int, string) {
	s.t.Helper()
	status, header, text := s.send(key, service, listener, method, path, body)
	return status, header.Get("X-Amzn-ErrorType") + text
}

// send is like ask, and returns the response's header as well. Without a response the status is 0.
func (s *jobsSite) send(key aws.Credentials, service, listener, method, path, body string) (int, http.Header, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.d.Address(listener)+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if key.AccessKeyID != "" {
		sum := sha256.Sum256([]byte(body))
		if err := v4.NewSigner().SignHTTP(s.t.Context(), key, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
			s.t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// operate sends a request to the control plane, and checks the status and that the answer contains want.
func (s *jobsSite) operate(wantStatus int, want, method, path, body string) {
	s.t.Helper()
	if status, text := s.ask(operatorKey, "iot", "control", method, path, body); status != wantStatus || !strings.Contains(text, want) {
		s.t.Errorf("%s %s %s: got %d %s, want %d %s", method, path, body, status, text, wantStatus, want)
	}
}

// create creates a job for sensor-1.
func (s *jobsSite) create(wantStatus int, want, id, document, role string) {
	s.t.Helper()
	job := map[string]any{"targets": []string{"arn:aws:iot:us-east-1:000000000000:thing/sensor-1"}}
	if strings.HasPrefix(document, "{") {
		job["document"] = document
	} else {
		job["documentSource"] = document
	}
	if role != "" {
		job["presignedUrlConfig"] = map[string]any{"roleArn": role, "expiresInSec": 120}
	}
	body, err := json.Marshal(job)
	if err != nil {
		s.t.Fatal(err)
	}
	s.operate(wantStatus, want, "PUT", "/jobs/"+id, string(body))
}

// document requests a job as the device does, and returns its document.
func (s *jobsSite) document(job string) map[string]string {
	s.t.Helper()
	status, body := s.ask(aws.Credentials{}, "", "listen", "GET", "/things/sensor-1/jobs/"+job, "")
	var answer struct{ Execution struct{ JobDocument string } }
	var document map[string]string
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		s.t.Fatalf("%s: %d %s %v", job, status, body, err)
	}
	if err := json.Unmarshal([]byte(answer.Execution.JobDocument), &document); err != nil {
		s.t.Fatalf("%s: %s %v", job, answer.Execution.JobDocument, err)
	}
	return document
}

// TestJobs takes jobs from creation to completion, with real S3 and STS, a restart and a crash.
func TestJobs(t *testing.T) {
	t.Parallel()
	s := newJobsSite(t)
	s.start()
	document := `{"url": "` + s.placeholder() + `"}`
	s.operate(200, `"thingName":"sensor-1"`, "POST", "/things/sensor-1", "{}")
	s.create(200, `"jobId":"first"`, "first", document, richARN)
	s.create(200, `"jobId":"poor"`, "poor", document, poorARN)
	s.create(200, `"jobId":"sourced"`, "sourced", "https://s3.us-east-1.amazonaws.com/"+s.bucket+"/documents/a%20b.json", richARN)

	// Invalid jobs are refused, with AWS's message if AWS has one.
	const refused = "InvalidRequestException"
	s.create(400, "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.", "x", document, "")
	s.create(400, "The role "+richARN+"er is not one that this gateway may assume", "x", document, richARN+"er")
	s.create(400, refused, "x", strings.Replace(document, "/firmware/", "/secrets/", 1), richARN)
	s.create(400, "documentSource is not the URL of an S3 object: it is a placeholder; give the URL alone", "x",
		"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/b/doc.json}", richARN)
	s.create(400, "documentSource is not the URL of an S3 object", "x", "http://169.254.169.254/latest/meta-data", richARN)
	s.create(400, "Cannot read the job document from documentSource", "x", s.proxy.URL+"/"+s.bucket+"/documents/none.json", richARN)

	// The URLs are signed by the job's role, and expire after the job's expiresInSec.
	check := func(job string, wantStatus int) {
		t.Helper()
		url := s.document(job)["url"]
		if status, body := fetch(t, "GET", url); status != wantStatus || status == 200 && body != "the firmware" || !strings.Contains(url, "X-Amz-Expires=120&") {
			t.Errorf("%s: %d %s, want %d", job, status, body, wantStatus)
		}
	}
	all := func() {
		t.Helper()
		check("$next", 200)
		check("first", 200)
		check("sourced", 200)
		check("poor", 403)
	}
	all()
	for _, arn := range []string{richARN, poorARN} {
		if n := s.proxy.Count(miniotest.AssumeRole, arn); n != 1 {
			t.Errorf("%s was assumed %d times, want once", arn, n)
		}
	}
	if n := s.proxy.Count(miniotest.AssumeRole, ""); n != 2 {
		t.Errorf("AssumeRole was called %d times, want 2", n)
	}

	// A second process cannot open the store. A restart loses nothing.
	if r := jobgate(t, "", s.proxy.Env(), "serve", "--config", filepath.Join(s.folder, "jobgate.yaml")); r.code != 1 || !strings.Contains(r.err, "another jobgate has it open; see jobs.store") {
		t.Errorf("a second gateway: %+v", r)
	}
	_, page := s.ask(operatorKey, "iot", "control", "GET", "/jobs?maxResults=1", "")
	token := regexp.MustCompile(`"nextToken":"([^"]+)"`).FindStringSubmatch(page)
	if token == nil {
		t.Fatalf("a page of a listing: %s", page)
	}
	s.stop()
	s.start()
	all()
	s.operate(200, `"jobId":"poor"`, "GET", "/jobs?maxResults=1&nextToken="+token[1], "") // the token survives the restart
	report := func(job string) {
		t.Helper()
		if status, body := s.ask(aws.Credentials{}, "", "listen", "POST", "/things/sensor-1/jobs/"+job, `{"status":"SUCCEEDED"}`); status != 200 {
			t.Errorf("report: %d %s", status, body)
		}
	}
	report("first")
	s.d.Signal(syscall.SIGKILL) // answered changes are on disk
	_ = s.d.Wait()
	s.start()
	awaitText(t, func() string { _, body := s.ask(operatorKey, "iot", "control", "GET", "/jobs/first", ""); return body }, `"status":"COMPLETED"`)
	report("poor")
	check("$next", 200) // only sourced is left
	if _, body := fetch(t, "GET", "http://"+s.d.Address("admin")+"/metrics"); !strings.Contains(body, `jobgate_job_executions{status="SUCCEEDED"} 2`) ||
		!strings.Contains(body, `jobgate_presigned_urls_total{mode="signed"}`) {
		t.Errorf("metrics: %s", body)
	}
	s.stop()
}
