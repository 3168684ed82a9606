package fleet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/rules"
	"jobgate/presigner/miniotest"
)

// signingSite is two gateways that sign a bucket's objects with one key file.
type signingSite struct {
	*fleet
	minio  *miniotest.Server
	proxy  *miniotest.Proxy
	bucket string
	key    string
	public *ecdsa.PublicKey
	a, b   *gateway
}

func newSigningSite(t *testing.T) *signingSite {
	t.Helper()
	_, url := startServer(t)
	s := &signingSite{fleet: newFleet(t, 0, url, url), minio: miniotest.Start(t), bucket: strings.ToLower(t.Name())}
	s.proxy = miniotest.NewProxy(t, s.minio)
	s.minio.CreateBucket(t, s.bucket)
	s.minio.EnableVersioning(t, s.bucket)
	s.key = filepath.Join(t.TempDir(), "firmware.pem")
	s.newKey()
	settings := fmt.Sprintf("codesign: {profiles: {firmware: {key_file: %q, allow: [\"arn:aws:s3:::%s/*\"]}}}\n", s.key, s.bucket)
	keys := s.operators()
	s.a, s.b = s.add(settings, keys, s.proxy.Env()...), s.add(settings, keys, s.proxy.Env()...)
	s.sendTo(s.gateways...)
	return s
}

// newKey writes a new key to the key file.
func (s *signingSite) newKey() {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(s.key+".new", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(s.key+".new", s.key); err != nil {
		s.Fatal(err)
	}
	s.public = &key.PublicKey
}

// create creates a job at a gateway, for one thing.
func (s *signingSite) create(g *gateway, id, version string) error {
	document := `{"sig":"${aws:iot:code-sign-signature:s3://us-east-1.` + s.bucket + `/v7.bin@` + version + `}"}`
	return s.createAt(g, id, document, "sensor-1")
}

// signature returns the signature that a gateway sends a device in a job's document, "" if there is none.
func (s *signingSite) signature(g *gateway, job string) (object string, value []byte) {
	s.Helper()
	listen := g.at("listen")
	_, body, _ := get("http://" + listen + "/things/sensor-1/jobs/" + job)
	var answer struct{ Execution struct{ JobDocument string } }
	var document struct{ Sig json.RawMessage }
	var signature struct{ Signature []byte }
	if json.Unmarshal([]byte(body), &answer) != nil || json.Unmarshal([]byte(answer.Execution.JobDocument), &document) != nil || json.Unmarshal(document.Sig, &signature) != nil {
		return "", nil
	}
	return string(document.Sig), signature.Signature
}

// awaitSignatures waits until both gateways send a device the same valid signature of content, by the current key.
func (s *signingSite) awaitSignatures(job, content string) {
	s.Helper()
	digest := sha256.Sum256([]byte(content))
	var objects [2]string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		valid := true
		for i, g := range []*gateway{s.a, s.b} {
			var value []byte
			objects[i], value = s.signature(g, job)
			valid = valid && ecdsa.VerifyASN1(s.public, digest[:], value)
		}
		if valid && objects[0] == objects[1] {
			return
		}
	}
	s.Fatalf("%s: the gateways sent the signatures %q", job, objects)
}

func (s *signingSite) reads() int { return s.proxy.Count(miniotest.Get, "/"+s.bucket+"/v7.bin") }

// TestCodeSigning has two gateways on one database sign objects. Each must serve the other's signatures, also after a change
// of the key, without reading the objects again.
func TestCodeSigning(t *testing.T) {
	s := newSigningSite(t)
	one := s.minio.PutObject(t, s.bucket, "v7.bin", []byte("version one"))
	two := s.minio.PutObject(t, s.bucket, "v7.bin", []byte("version two!"))
	if err := rules.Over(s.engine).CreateThings(t.Context(), []jobs.Thing{{Name: "sensor-1", ID: "sensor-1", Version: 1, CreatedAt: time.Now().UTC()}}); err != nil {
		t.Fatal(err)
	}
	if err := s.create(s.a, "one", one); err != nil {
		t.Fatal(err)
	}
	s.awaitSignatures("one", "version one")
	if err := s.create(s.b, "again", one); err != nil {
		t.Fatal(err)
	}
	s.awaitSignatures("again", "version one")
	if n := s.reads(); n != 1 {
		t.Errorf("two gateways, one after the other, read one version %d times, want 1", n)
	}

	// Concurrently on both: each may read the object once.
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			if err := s.create([]*gateway{s.a, s.b}[i%2], fmt.Sprintf("two-%d", i), two); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s.awaitSignatures("two-0", "version two!")
	s.awaitSignatures("two-1", "version two!")
	before := s.reads()
	if before > 3 {
		t.Errorf("two gateways read two versions %d times, want at most 3", before)
	}

	// A restart and a new key must cause no reads.
	for _, g := range []*gateway{s.a, s.b} {
		g.end(syscall.SIGTERM)
		g.start()
	}
	s.awaitSignatures("one", "version one")
	s.awaitSignatures("two-39", "version two!")
	s.newKey()
	for _, g := range []*gateway{s.a, s.b} {
		admin := g.at("admin")
		answer, err := client.Post("http://"+admin+"/-/reload", "", nil) //nolint:noctx // the client has a time-out
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("reload: status %d", answer.StatusCode)
		}
	}
	s.awaitSignatures("one", "version one")
	s.awaitSignatures("two-0", "version two!")
	if err := s.create(s.b, "last", two); err != nil {
		t.Fatal(err)
	}
	s.awaitSignatures("last", "version two!")
	if n := s.reads() - before; n != 0 {
		t.Errorf("%d reads after a restart and a new key, want 0", n)
	}
}
