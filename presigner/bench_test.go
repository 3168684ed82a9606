package presigner_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/presigner"
)

var benchTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var benchCredentials = presigner.Credentials{
	AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	SessionToken: strings.Repeat("FwoGZXIvYXdzEBYaD+/=", 45), // 900 bytes, like an assumed role's token
}

func benchSigner(tb testing.TB) (*presigner.Signer, presigner.Target) {
	s, err := presigner.NewSigner(benchCredentials)
	if err != nil {
		tb.Fatal(err)
	}
	o := presigner.Object{Scheme: "https", Host: "s3.us-east-1.amazonaws.com", Region: "us-east-1", Bucket: "firmware", Key: "v7/image.bin"}
	return s, o.Target()
}

func BenchmarkAppendURL(b *testing.B) {
	s, target := benchSigner(b)
	dst := make([]byte, 0, 4096)
	r := presigner.Request{Target: &target, Expires: 15 * time.Minute, Time: benchTime}
	b.ReportAllocs()
	for b.Loop() {
		r.Time = r.Time.Add(time.Second)
		if r.Time.Day() != benchTime.Day() {
			r.Time = benchTime
		}
		dst, _ = s.AppendURL(dst[:0], &r)
	}
}

// The minimum: one SHA-256 over as many bytes as the canonical request has, and one
// HMAC over as many as the string to sign has.
func BenchmarkAppendURL_Floor(b *testing.B) {
	s, target := benchSigner(b)
	signed, _ := s.AppendURL(nil, &presigner.Request{Target: &target, Expires: 15 * time.Minute, Time: benchTime})
	request := len("GET\n\n\nhost:\n\nhost\nUNSIGNED-PAYLOAD") + len(signed) - len("https://?&X-Amz-Signature=") - 64
	canonical := []byte(strings.Repeat("c", request))
	toSign := []byte(strings.Repeat("s", len("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n")+64))
	mac := hmac.New(sha256.New, make([]byte, 32))
	var sum [sha256.Size]byte
	b.ReportAllocs()
	for b.Loop() {
		digest := sha256.Sum256(canonical)
		copy(toSign[len(toSign)-32:], digest[:])
		mac.Reset()
		mac.Write(toSign)
		mac.Sum(sum[:0])
	}
}

func BenchmarkAppendURL_AWSSDK(b *testing.B) {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: benchCredentials.AccessKeyID, SecretAccessKey: benchCredentials.SecretAccessKey, SessionToken: benchCredentials.SessionToken}
	at := benchTime
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Second)
		if at.Day() != benchTime.Day() {
			at = benchTime
		}
		if _, err := sdkURL(signer, credentials, "GET", "https://s3.us-east-1.amazonaws.com/firmware/v7/image.bin", "us-east-1", "900", at); err != nil {
			b.Fatal(err)
		}
	}
}

// sdkURL presigns with the SDK's signer, the reference for results and speed.
func sdkURL(signer *v4.Signer, c aws.Credentials, method, rawURL, region, expires string, at time.Time) (string, error) {
	req, err := http.NewRequest(method, rawURL, nil)
	if err != nil {
		return "", err
	}
	query := req.URL.Query()
	query.Set("X-Amz-Expires", expires)
	req.URL.RawQuery = query.Encode()
	signed, _, err := signer.PresignHTTP(context.Background(), c, req, "UNSIGNED-PAYLOAD", "s3", region, at)
	return signed, err
}
