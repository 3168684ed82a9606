package role_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"jobgate/presigner"
	"jobgate/presigner/miniotest"
	"jobgate/presigner/role"
)

const downloadARN = "arn:aws:iam::123456789012:role/download"

// site is a Set whose STS is a real MinIO behind a proxy, configured as users do it: with
// the standard chain and AWS_ENDPOINT_URL_STS.
type site struct {
	server *miniotest.Server
	proxy  *miniotest.Proxy
	set    *role.Set
	role   *role.Role
	bucket string
}

func newSite(t *testing.T, bucket string, faults miniotest.Faults, c role.Config) *site {
	t.Helper()
	s := &site{server: miniotest.Start(t), bucket: bucket}
	s.proxy = miniotest.NewProxy(t, s.server)
	s.proxy.Inject(faults)
	s.server.CreateBucket(t, bucket)
	c.Name, c.ARN = "download", downloadARN
	set, err := role.New(role.Options{AWS: awsConfig(t, s.proxy), Roles: []role.Config{c}})
	if err != nil {
		t.Fatal(err)
	}
	set.Start(t.Context())
	t.Cleanup(set.Close)
	s.set = set
	s.role, _ = set.Role("download")
	return s
}

func awsConfig(t *testing.T, p *miniotest.Proxy) aws.Config {
	t.Helper()
	for _, env := range p.Env() {
		name, value, _ := strings.Cut(env, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	c, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *site) object(key, version string) presigner.Object {
	return presigner.Object{
		Scheme: "http", Host: s.proxy.Addr, Region: miniotest.Region, Bucket: s.bucket,
		Style: presigner.PathStyle, Key: key, VersionID: version,
	}
}

// url presigns with the role's session, at AWS's time plus offset.
func (s *site) url(t *testing.T, key, version string, m presigner.Method, expires, offset time.Duration) string {
	t.Helper()
	sess, err := s.role.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expires, _, err = s.role.Lifetime(sess, expires, s.set.Now())
	if err != nil {
		t.Fatal(err)
	}
	url, err := sess.Signer.URL(s.object(key, version), m, expires, s.set.Now().Add(offset))
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// get downloads key as a device does, and returns the body, or the error's code.
func (s *site) get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	status, b := s.server.Fetch(t, http.MethodGet, url, nil)
	if _, after, ok := bytes.Cut(b, []byte("<Code>")); ok && status != http.StatusOK {
		code, _, _ := bytes.Cut(after, []byte("</Code>"))
		b = code
	}
	return status, string(b)
}

func TestURLsAgainstMinIO(t *testing.T) {
	s := newSite(t, "urls", miniotest.Faults{}, role.Config{Expires: 15 * time.Minute})
	s.server.EnableVersioning(t, s.bucket)
	v1 := s.server.PutObject(t, s.bucket, "firmware/v7.bin", []byte("one"))
	v2 := s.server.PutObject(t, s.bucket, "firmware/v7.bin", []byte("two"))
	f := func(what, url string, wantStatus int, wantBody string) {
		t.Helper()
		if status, body := s.get(t, url); status != wantStatus || body != wantBody {
			t.Errorf("%s: %d %s, want %d %s", what, status, body, wantStatus, wantBody)
		}
	}
	const key = "firmware/v7.bin"
	url := s.url(t, key, "", presigner.GET, 15*time.Minute, 0)
	f("the current version", url, http.StatusOK, "two")
	f("the first version", s.url(t, key, v1, presigner.GET, time.Minute, 0), http.StatusOK, "one")
	f("the second version", s.url(t, key, v2, presigner.GET, time.Minute, 0), http.StatusOK, "two")
	f("nearly twelve hours", s.url(t, key, "", presigner.GET, 12*time.Hour-time.Minute, 0), http.StatusOK, "two")
	f("a URL that has expired", s.url(t, key, "", presigner.GET, 15*time.Minute, -16*time.Minute), http.StatusForbidden, "AccessDenied")
	f("a URL that begins later", s.url(t, key, "", presigner.GET, time.Minute, 20*time.Minute), http.StatusForbidden, "AccessDenied")

	// One character changed anywhere in the signature, the key or the times.
	for _, part := range []string{"X-Amz-Signature=", "firmware/", "X-Amz-Expires=", "X-Amz-Credential=", "X-Amz-Security-Token="} {
		at := strings.Index(url, part) + len(part)
		tampered := url[:at] + string(flip(url[at])) + url[at+1:]
		if status, body := s.get(t, tampered); status != http.StatusForbidden {
			t.Errorf("a character flipped after %q: %d %s, want 403", part, status, body)
		}
	}
	if status, _ := s.server.Fetch(t, http.MethodPut, url, []byte("x")); status != http.StatusForbidden {
		t.Errorf("PUT to a GET URL: %d, want 403", status)
	}
	if n := s.proxy.Count(miniotest.AssumeRole, downloadARN); n != 1 {
		t.Errorf("%d AssumeRole, want 1", n)
	}
}

func flip(c byte) byte {
	if c == '1' {
		return '2'
	}
	return '1'
}

// notOnMinIO says why MinIO, which stores objects as files, refuses a key that S3 accepts;
// "" if it accepts it.
func notOnMinIO(key string) string {
	for _, segment := range strings.Split(strings.TrimSuffix(key, "/"), "/") {
		switch {
		case segment == "":
			return "an empty segment"
		case segment == "." || segment == "..":
			return "a dot segment"
		case len(segment) > 255:
			return "a segment of more than 255 bytes"
		}
	}
	return ""
}

func TestAwkwardKeysAgainstMinIO(t *testing.T) {
	data, err := os.ReadFile("../testdata/presign.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "keys", miniotest.Faults{}, role.Config{Expires: 15 * time.Minute})
	s.server.EnableVersioning(t, s.bucket)
	keys := []string{strings.Repeat(strings.Repeat("é", 100)+"/", 4) + strings.Repeat("k", 220)} // 1024 bytes
	for _, v := range vectors {
		keys = append(keys, v.Key)
	}
	tried := 0
	for _, key := range keys {
		body := []byte("bytes of " + key)
		if why := notOnMinIO(key); why != "" {
			if status, _ := s.server.TryPutObject(t, s.bucket, key, body); status == http.StatusOK {
				t.Errorf("MinIO takes %q after all (%s)", key, why)
			}
			continue
		}
		tried++
		// PUT as a device does, then read with the root credentials, by GET and by version.
		if status, answer := s.server.Fetch(t, http.MethodPut, s.url(t, key, "", presigner.PUT, time.Minute, 0), body); status != http.StatusOK {
			t.Errorf("PUT %q: %d %s", key, status, answer)
			continue
		}
		if got := s.server.GetObject(t, s.bucket, key); !bytes.Equal(got, body) {
			t.Errorf("PUT %q stored %q", key, got)
		}
		version := s.server.PutObject(t, s.bucket, key, []byte("newer"))
		if status, got := s.get(t, s.url(t, key, "", presigner.GET, time.Minute, 0)); status != http.StatusOK || got != "newer" {
			t.Errorf("GET %q: %d %s", key, status, got)
		}
		if status, got := s.get(t, s.url(t, key, version, presigner.GET, time.Minute, 0)); status != http.StatusOK || got != "newer" {
			t.Errorf("GET %q version %s: %d %s", key, version, status, got)
		}
	}
	if tried < 140 {
		t.Errorf("only %d keys were tried", tried)
	}
}

func TestThousandsOfColdReaders(t *testing.T) {
	s := newSite(t, "cold", miniotest.Faults{STS: miniotest.Fault{Delay: 300 * time.Millisecond}}, role.Config{Expires: time.Hour})
	s.server.PutObject(t, s.bucket, "k", []byte("bytes"))
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 10_000 {
		wg.Go(func() {
			if sess, err := s.role.Wait(t.Context()); err == nil && sess == s.role.Session() {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if n := s.proxy.Count(miniotest.AssumeRole, ""); good.Load() != 10_000 || n != 1 {
		t.Errorf("%d of 10000 got the session with %d AssumeRole, want all with 1", good.Load(), n)
	}
	if status, body := s.get(t, s.url(t, "k", "", presigner.GET, time.Minute, 0)); status != http.StatusOK {
		t.Errorf("GET: %d %s", status, body)
	}
}

func TestSkewedMinIO(t *testing.T) {
	for _, skew := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			s := newSite(t, "skew", miniotest.Faults{Skew: skew}, role.Config{Expires: 15 * time.Minute})
			s.server.PutObject(t, s.bucket, "k", []byte("bytes"))
			url := s.url(t, "k", "", presigner.GET, 20*time.Minute, 0)
			if off := s.set.Skew() - skew; off.Abs() > 2*time.Second {
				t.Errorf("measured a skew of %v, want %v", s.set.Skew(), skew)
			}
			if status, body := s.get(t, url); status != http.StatusOK || body != "bytes" {
				t.Errorf("GET: %d %s", status, body)
			}
			// Signed by the local clock, it would be refused or end too early.
			sess := s.role.Session()
			if left := sess.Expires.Sub(s.set.Now()); (left - 12*time.Hour).Abs() > 3*time.Second {
				t.Errorf("%v are left of a session of 12h", left)
			}
			if skew > 0 {
				late, err := sess.Signer.URL(s.object("k", ""), presigner.GET, 5*time.Minute, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				if status, _ := s.get(t, late); status != http.StatusForbidden {
					t.Errorf("GET of a URL signed by the local clock: %d, want 403", status)
				}
			}
			if n := s.proxy.Count(miniotest.AssumeRole, ""); n != 2 {
				t.Errorf("%d AssumeRole, want the refused one and the one corrected", n)
			}
		})
	}
}

func TestDurationFallbackAgainstTheProxy(t *testing.T) {
	s := newSite(t, "fallback", miniotest.Faults{MaxSession: time.Hour}, role.Config{Expires: 15 * time.Minute})
	sess, err := s.role.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(sess.Expires); left > time.Hour || left < 59*time.Minute {
		t.Errorf("the session lives for %v, want 1h", left)
	}
	var asked []string
	for _, r := range s.proxy.Requests() {
		asked = append(asked, r.Form.Get("DurationSeconds"))
	}
	if fmt.Sprint(asked) != "[43200 3600]" {
		t.Errorf("asked for %v seconds, want 43200, then 3600", asked)
	}
}

// With sessions of a few seconds and an STS with outages, URLs never outlive their session,
// and no reader sees an error while a session lives.
func TestShortSessionsAndOutage(t *testing.T) {
	s := newSite(t, "short", miniotest.Faults{SessionLife: 20 * time.Second}, role.Config{Expires: time.Hour})
	s.server.PutObject(t, s.bucket, "k", []byte("bytes"))
	url := s.url(t, "k", "", presigner.GET, time.Hour, 0)
	if status, body := s.get(t, url); status != http.StatusOK {
		t.Fatalf("GET: %d %s", status, body)
	}
	_, after, _ := strings.Cut(url, "X-Amz-Expires=")
	seconds, _, _ := strings.Cut(after, "&")
	if n, err := strconv.Atoi(seconds); err != nil || n < 1 || n > 20 {
		t.Errorf("the URL lives for %s seconds, its session for 20", seconds)
	}
	s.proxy.Stop()
	for range 20 {
		if _, _, err := s.role.Lifetime(s.role.Session(), time.Hour, s.set.Now()); err != nil {
			t.Fatalf("a reader saw the outage: %v", err)
		}
	}
	s.proxy.Resume(t)
	if status, body := s.get(t, url); status != http.StatusOK {
		t.Errorf("GET after the outage: %d %s", status, body)
	}
}

func TestColdOutage(t *testing.T) {
	var s *site
	for _, outage := range []miniotest.Outage{miniotest.Unavailable, miniotest.Throttled, miniotest.Reset} {
		s = newSite(t, "outage", miniotest.Faults{STS: miniotest.Fault{Outage: outage}}, role.Config{Expires: time.Hour})
		_, err := s.role.Wait(t.Context())
		var u *role.UnavailableError
		if !errors.As(err, &u) || u.RetryAfter <= 0 {
			t.Fatalf("outage %d: Wait: %v, want an UnavailableError with RetryAfter", outage, err)
		}
		if strings.Contains(err.Error(), s.server.Root.SecretAccessKey) {
			t.Errorf("outage %d: the error holds a secret: %v", outage, err)
		}
	}
	s.proxy.Inject(miniotest.Faults{})
	for end := time.Now().Add(20 * time.Second); s.role.Session() == nil; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the role did not recover")
		}
	}
}
