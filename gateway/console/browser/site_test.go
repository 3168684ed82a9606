package browser

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
	"jobgate/presigner/miniotest"
)

const (
	operator, operatorSecret = "AKIAOPERATOR00000001", "operators-secret-0001"
	reader, readerSecret     = "AKIADASHBOARD0000001", "dashboards-secret-01"
	downloadRole             = "arn:aws:iam::123456789012:role/download"
)

var binary string // the path of jobgate

func TestMain(m *testing.M) {
	var err error
	if binary, err = gatetest.Build("../../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// site is a gateway and its environment.
type site struct {
	t                *testing.T
	folder           string
	control, devices string // "http://host:port"
	minio            *miniotest.Server
	bucket           string
}

// newSite starts the built binary, which signs URLs of objects in a bucket on MinIO. more is added to its configuration;
// prepare is called with the path of its store before the start.
func newSite(t *testing.T, more string, prepare ...func(store string)) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir(), minio: miniotest.Start(t), bucket: strings.ToLower(t.Name())}
	s.minio.CreateBucket(t, s.bucket)
	devices, control := servertest.FreeAddress(t), servertest.FreeAddress(t)
	s.control, s.devices = "http://"+control, "http://"+devices
	if strings.Contains(more, "control_tls") {
		s.control = "https://" + control
	}
	keys := s.file("keys.yaml", fmt.Sprintf("access_keys:\n  - {id: %s, secret: %s}\n  - {id: %s, secret: %s, read_only: true}\n", operator, operatorSecret, reader, readerSecret))
	config := s.file("jobgate.yaml", fmt.Sprintf(`
listen: %s
admin: ""
control: %s
auth: {mode: none}
roles:
  download: {arn: "%s", allow: ["arn:aws:s3:::%s/*"]}
presign: {role: download}
jobs: {enabled: true, store: %s, access_keys_file: %s}
drain: {delay: 0s}
%s`, devices, control, downloadRole, s.bucket, filepath.Join(s.folder, "jobs.db"), keys, more))
	for _, f := range prepare {
		f(filepath.Join(s.folder, "jobs.db"))
	}
	server := gatetest.Start(t, gatetest.Command(binary, s.folder, append(s.minio.Env(), "AWS_REGION=us-east-1"), "serve", "--config", config))
	t.Cleanup(func() {
		server.End(syscall.SIGKILL)
		for _, secret := range []string{operatorSecret, readerSecret} {
			if strings.Contains(server.Log.String(), secret) {
				t.Error("a secret is in the log")
			}
		}
	})
	server.Addresses()
	return s
}

func (s *site) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// eventually waits until done returns true.
func (s *site) eventually(what string, done func() bool) {
	s.t.Helper()
	servertest.Eventually(s.t, what, done)
}

// operate performs an operation of the control plane as an operator, and returns the answer's members.
func (s *site) operate(method, path string, body any) map[string]any {
	s.t.Helper()
	text := []byte{}
	if body != nil {
		text, _ = json.Marshal(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.control+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	hash := sha256.Sum256(text)
	key := aws.Credentials{AccessKeyID: operator, SecretAccessKey: operatorSecret}
	if err := v4.NewSigner().SignHTTP(s.t.Context(), key, r, hex.EncodeToString(hash[:]), "iot", "us-east-1", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	return s.send(r)
}

// report reports the status of a device's execution of a job.
func (s *site) report(thing, job, status string, details map[string]string) {
	s.t.Helper()
	body, _ := json.Marshal(map[string]any{"status": status, "statusDetails": details})
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.devices+"/things/"+thing+"/jobs/"+job, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(r)
}

func (s *site) send(r *http.Request) map[string]any {
	s.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s %v", r.Method, r.URL.Path, res.StatusCode, body, err)
	}
	members := map[string]any{}
	_ = json.Unmarshal(body, &members) // some answers are empty
	return members
}

// fleet creates a group of things.
func (s *site) fleet(group string, n int) []string {
	s.t.Helper()
	s.operate(http.MethodPost, "/thing-groups/"+group, map[string]any{})
	things := make([]string, n)
	for i := range things {
		things[i] = fmt.Sprintf("sensor-%04d", i)
		s.operate(http.MethodPost, "/things/"+things[i], map[string]any{})
		s.operate(http.MethodPut, "/thing-groups/addThingToThingGroup", map[string]any{"thingName": things[i], "thingGroupName": group})
	}
	return things
}
