package miniotest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"jobgate/presigner/miniotest"
)

const roleARN = "arn:aws:iam::123456789012:role/download"

func assumeRole(s *miniotest.Server, url string, seconds int32) (*sts.AssumeRoleOutput, error) {
	client := sts.New(sts.Options{
		Region: miniotest.Region, BaseEndpoint: &url, Retryer: aws.NopRetryer{}, DisableClockSkewCorrection: true,
		Credentials: credentials.StaticCredentialsProvider{Value: s.Root},
	})
	return client.AssumeRole(context.Background(), &sts.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("test"), DurationSeconds: &seconds,
	})
}

// presign signs with the SDK, for 15 minutes from at.
func presign(t *testing.T, url string, c aws.Credentials, at time.Time) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"?X-Amz-Expires=900", nil)
	if err != nil {
		t.Fatal(err)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	signed, _, err := signer.PresignHTTP(t.Context(), c, req, "UNSIGNED-PAYLOAD", "s3", miniotest.Region, at)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return "transport"
	}
	return ""
}

func TestProxyPassesAndCounts(t *testing.T) {
	s := miniotest.Start(t)
	p := miniotest.NewProxy(t, s)
	s.CreateBucket(t, "counted")
	s.PutObject(t, "counted", "a b+c%d;e=f&g.bin", []byte("bytes"))

	out, err := assumeRole(s, p.URL, 43200)
	if err != nil {
		t.Fatalf("AssumeRole through the proxy: %v", err)
	}
	c := aws.Credentials{
		AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken: *out.Credentials.SessionToken,
	}
	status, body := s.Fetch(t, http.MethodGet, presign(t, p.URL+"/counted/a%20b%2Bc%25d%3Be%3Df%26g.bin", c, time.Now()), nil)
	if status != http.StatusOK || string(body) != "bytes" {
		t.Fatalf("GET through the proxy: %d %s", status, body)
	}
	if n := p.Count(miniotest.AssumeRole, roleARN); n != 1 {
		t.Errorf("%d AssumeRole counted, want 1", n)
	}
	if n := p.Count(miniotest.Get, "/counted/a b+c%d;e=f&g.bin"); n != 1 {
		t.Errorf("%d GET counted, want 1: %v", n, p.Requests())
	}
	if got := p.Requests()[0].Form.Get("RoleSessionName"); got != "test" {
		t.Errorf("recorded RoleSessionName %q, want %q", got, "test")
	}
}

func TestProxyFailsSTS(t *testing.T) {
	s := miniotest.Start(t)
	p := miniotest.NewProxy(t, s)
	f := func(faults miniotest.Faults, wantCode string) {
		t.Helper()
		p.Inject(faults)
		_, err := assumeRole(s, p.URL, 43200)
		if got := code(err); got != wantCode {
			t.Errorf("AssumeRole with %+v: code %q, want %q (%v)", faults, got, wantCode, err)
		}
	}
	f(miniotest.Faults{}, "")
	f(miniotest.Faults{STS: miniotest.Fault{Outage: miniotest.Reset}}, "transport")
	f(miniotest.Faults{STS: miniotest.Fault{Outage: miniotest.Unavailable}}, "ServiceUnavailable")
	f(miniotest.Faults{STS: miniotest.Fault{Outage: miniotest.Throttled}}, "Throttling")
	f(miniotest.Faults{S3: miniotest.Fault{Outage: miniotest.Reset}}, "")
	f(miniotest.Faults{MaxSession: time.Hour}, "ValidationError")
	f(miniotest.Faults{MaxSession: 12 * time.Hour}, "")
	f(miniotest.Faults{Skew: 10 * time.Minute}, "SignatureDoesNotMatch")
	f(miniotest.Faults{Skew: -10 * time.Minute}, "SignatureDoesNotMatch")
	f(miniotest.Faults{Skew: 2 * time.Minute}, "")
	f(miniotest.Faults{STS: miniotest.Fault{Delay: 10 * time.Millisecond}}, "")

	p.Stop()
	f(miniotest.Faults{}, "transport")
	p.Resume(t)
	f(miniotest.Faults{}, "")
}

func TestProxyShortensSessions(t *testing.T) {
	s := miniotest.Start(t)
	p := miniotest.NewProxy(t, s)
	s.CreateBucket(t, "short")
	s.PutObject(t, "short", "k", []byte("bytes"))
	for _, life := range []time.Duration{time.Hour, -time.Second} {
		p.Inject(miniotest.Faults{SessionLife: life})
		out, err := assumeRole(s, p.URL, 43200)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(*out.Credentials.Expiration); left > life || left < life-5*time.Second {
			t.Errorf("the session ends in %v, want %v", left, life)
		}
		c := aws.Credentials{
			AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
			SessionToken: *out.Credentials.SessionToken,
		}
		want := http.StatusOK
		if life < 0 {
			want = http.StatusBadRequest
		}
		if status, body := s.Fetch(t, http.MethodGet, presign(t, p.URL+"/short/k", c, time.Now()), nil); status != want {
			t.Errorf("GET with a session that ends in %v: %d, want %d: %s", life, status, want, body)
		}
	}
}

func TestProxyChecksPresignedTimes(t *testing.T) {
	s := miniotest.Start(t)
	p := miniotest.NewProxy(t, s)
	s.CreateBucket(t, "skewed")
	s.PutObject(t, "skewed", "k", []byte("bytes"))
	f := func(skew, offset time.Duration, want int) {
		t.Helper()
		p.Inject(miniotest.Faults{Skew: skew})
		status, body := s.Fetch(t, http.MethodGet, presign(t, p.URL+"/skewed/k", s.Root, time.Now().Add(offset)), nil)
		if status != want {
			t.Errorf("skew %v, signed %v off: status %d, want %d: %s", skew, offset, status, want, body)
		}
	}
	f(0, 0, http.StatusOK)
	f(10*time.Minute, 10*time.Minute, http.StatusOK)
	f(10*time.Minute, -6*time.Minute, http.StatusForbidden)
	f(-14*time.Minute, 2*time.Minute, http.StatusForbidden)
}
