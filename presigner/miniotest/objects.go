package miniotest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// answer holds the parts of an HTTP response that the tests use.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// CreateBucket creates a bucket, unless it exists.
func (s *Server) CreateBucket(tb testing.TB, bucket string) {
	tb.Helper()
	s.must(tb, http.MethodPut, s.URL+"/"+bucket, nil, http.StatusConflict)
}

// EnableVersioning makes the bucket keep every version of its objects.
func (s *Server) EnableVersioning(tb testing.TB, bucket string) {
	tb.Helper()
	body := `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`
	s.must(tb, http.MethodPut, s.URL+"/"+bucket+"?versioning=", []byte(body))
	s.versioned.Store(bucket, true)
}

// PutObject stores body under key, any key that MinIO accepts, and returns the version id,
// "" in a bucket without versioning and for a key that ends in a slash.
func (s *Server) PutObject(tb testing.TB, bucket, key string, body []byte) (versionID string) {
	tb.Helper()
	_, versioned := s.versioned.Load(bucket)
	for range 10 {
		res := s.must(tb, http.MethodPut, s.URL+"/"+bucket+"/"+escapeKey(key), body)
		if versionID = res.header.Get("X-Amz-Version-Id"); versionID != "" || !versioned || strings.HasSuffix(key, "/") {
			return versionID
		}
		// A MinIO that has just started may still be loading the metadata of its buckets.
		s.EnableVersioning(tb, bucket)
	}
	tb.Fatalf("MinIO gives no versions in bucket %s", bucket)
	return ""
}

// DeleteVersion removes one version of an object for good.
func (s *Server) DeleteVersion(tb testing.TB, bucket, key, versionID string) {
	tb.Helper()
	s.must(tb, http.MethodDelete, s.URL+"/"+bucket+"/"+escapeKey(key)+"?versionId="+versionID, nil)
}

// TryPutObject is [Server.PutObject] for keys that MinIO may refuse: S3 accepts keys such as
// "./x/../y", but MinIO, which stores objects as files, does not. It returns the status and,
// if refused, the response's body.
func (s *Server) TryPutObject(tb testing.TB, bucket, key string, body []byte) (status int, answer string) {
	tb.Helper()
	res, err := s.do(http.MethodPut, s.URL+"/"+bucket+"/"+escapeKey(key), body)
	if err != nil {
		tb.Fatalf("cannot put object %q: %v", key, err)
	}
	return res.status, string(res.body)
}

// GetObject returns the object's bytes, read with the root credentials.
func (s *Server) GetObject(tb testing.TB, bucket, key string) []byte {
	tb.Helper()
	return s.must(tb, http.MethodGet, s.URL+"/"+bucket+"/"+escapeKey(key), nil).body
}

// Fetch sends one unsigned request, as a device does with a presigned URL, and returns the
// status and the body. The URL is sent byte for byte. Redirects are not followed.
func (s *Server) Fetch(tb testing.TB, method, url string, body []byte) (status int, answer []byte) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		tb.Fatalf("cannot fetch a presigned URL: %v", err)
	}
	res, err := s.send(req)
	if err != nil {
		tb.Fatalf("cannot fetch a presigned URL: %v", err)
	}
	return res.status, res.body
}

// Env returns the AWS environment variables, as "NAME=value", that make a program use this
// server as S3 and STS with the root credentials.
func (s *Server) Env() []string {
	return append(s.credentialEnv(), "AWS_ENDPOINT_URL_S3="+s.URL, "AWS_ENDPOINT_URL_STS="+s.URL)
}

func (s *Server) credentialEnv() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.Root.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.Root.SecretAccessKey,
		"AWS_REGION=" + Region, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// must sends a signed request and fails tb unless the answer is 2xx or one of allowed.
func (s *Server) must(tb testing.TB, method, url string, body []byte, allowed ...int) answer {
	tb.Helper()
	res, err := s.do(method, url, body)
	if err != nil {
		tb.Fatalf("cannot %s %s: %v", method, url, err)
	}
	if res.status/100 == 2 {
		return res
	}
	for _, status := range allowed {
		if res.status == status {
			return res
		}
	}
	tb.Fatalf("cannot %s %s: status %d: %s", method, url, res.status, res.body)
	return answer{}
}

// do sends a request, signed with the root credentials by the SDK. While the server reports
// that it is too busy, it retries for some seconds.
func (s *Server) do(method, url string, body []byte) (res answer, err error) {
	for range 20 {
		res, err = s.doOnce(method, url, body)
		if err != nil || res.status != http.StatusServiceUnavailable {
			break
		}
		<-time.After(250 * time.Millisecond)
	}
	return res, err
}

func (s *Server) doOnce(method, url string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	return s.sendSigned(req, body, "s3")
}

// assumeRole asks STS for a session of the root credentials.
func (s *Server) assumeRole() (answer, error) {
	body := []byte("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/ready&RoleSessionName=ready")
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.sendSigned(req, body, "sts")
}

func (s *Server) sendSigned(req *http.Request, body []byte, service string) (answer, error) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(req.Context(), s.Root, req, hash, service, Region, time.Now()); err != nil {
		return answer{}, err
	}
	return s.send(req)
}

func (s *Server) send(req *http.Request) (answer, error) {
	res, err := s.client.Transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: body}, err
}

// escapeKey escapes every byte that RFC 3986 reserves, except '/'. It is independent of
// presigner's version, which the tests check against it.
func escapeKey(key string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
	var b strings.Builder
	for i := range len(key) {
		if strings.IndexByte(plain, key[i]) >= 0 {
			b.WriteByte(key[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", key[i])
		}
	}
	return b.String()
}
