package source

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/gateway/jobdoc/s3host"
)

var testCredentials = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hush-secret", SessionToken: "hush-token"}

// newS3 returns a source of the server at endpoint.
func newS3(tb testing.TB, endpoint string, change ...func(*S3Options)) *S3 {
	tb.Helper()
	o := S3Options{
		Region: "us-east-1", Endpoint: endpoint, DNSSuffix: dnsSuffix,
		Credentials: func(context.Context) (aws.Credentials, error) { return testCredentials, nil },
	}
	for _, f := range change {
		f(&o)
	}
	s, err := NewS3(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

func dnsSuffix(region string) string {
	_, suffix := s3host.PartitionOf(region)
	return suffix
}

func TestS3ObjectURL(t *testing.T) {
	f := func(endpoint, bucket, key, region, want string) {
		t.Helper()
		u := newS3(t, endpoint).objectURL(bucket, key, region)
		if got := u.Scheme + "://" + u.Host + u.RequestURI(); got != want {
			t.Errorf("unexpected URL: %q, want %q", got, want)
		}
	}
	f("", "bucket", "a/b.json", "us-east-1", "https://bucket.s3.us-east-1.amazonaws.com/a/b.json")
	f("", "bucket", "a b+c%20/ü?#&=~'(!)*", "eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com/a%20b%2Bc%2520/%C3%BC%3F%23%26%3D~%27%28%21%29%2A")
	f("", "bucket", "/a//../b/.", "eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com//a//../b/.")
	f("", "dotted.bucket", "k", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/dotted.bucket/k")
	f("", "bucket", "k", "cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn/k")
	f("", "bucket", "k", "us-gov-west-1", "https://bucket.s3.us-gov-west-1.amazonaws.com/k")
	f("", "bucket", "k", "eusc-de-east-1", "https://bucket.s3.eusc-de-east-1.amazonaws.eu/k")
	f("", "bucket", "k", "us-isob-east-1", "https://bucket.s3.us-isob-east-1.sc2s.sgov.gov/k")
	f("http://127.0.0.1:9000", "bucket", "a b//c", "us-east-1", "http://127.0.0.1:9000/bucket/a%20b//c")
	f("https://minio.example.com/", "bucket", "k", "us-east-1", "https://minio.example.com/bucket/k")
}

func TestNewS3Refuses(t *testing.T) {
	f := func(change func(*S3Options), want string) {
		t.Helper()
		o := S3Options{Region: "us-east-1", Credentials: func(context.Context) (aws.Credentials, error) { return testCredentials, nil }}
		change(&o)
		if _, err := NewS3(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("unexpected error: %v, want %q", err, want)
		}
	}
	f(func(o *S3Options) { o.Credentials = nil }, "credentials")
	f(func(o *S3Options) { o.Region = "" }, "AWS_REGION")
	f(func(o *S3Options) { o.Endpoint = "localhost:9000" }, "AWS_ENDPOINT_URL_S3")
	f(func(o *S3Options) { o.Endpoint = "http://host/prefix" }, "AWS_ENDPOINT_URL_S3")
	f(func(o *S3Options) { o.Endpoint = "http://user:pw@host" }, "AWS_ENDPOINT_URL_S3")
	f(func(o *S3Options) { o.Endpoint = "ftp://host" }, "AWS_ENDPOINT_URL_S3")
}

func errorDocument(code, message, more string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message>` + message + `</Message>` + more + `</Error>`
}

func TestS3Errors(t *testing.T) {
	f := func(status int, code, more string, class error, want string) {
		t.Helper()
		var header http.Header
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			header = r.Header
			w.Header().Set("X-Amz-Request-Id", "REQ1")
			w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, errorDocument(code, "some text", more))
		})
		_, err := newS3(t, u).Load(t.Context(), Request{URL: "s3://bucket/key"})
		if !errors.Is(err, class) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "REQ1") {
			t.Errorf("unexpected error of %d %s: %v; want %v, %q", status, code, err, class, want)
		}
		for _, hush := range []string{"hush", header.Get("Authorization"), "AKIDEXAMPLE"} {
			if strings.Contains(err.Error(), hush) {
				t.Errorf("the error holds %q: %v", hush, err)
			}
		}
	}
	f(404, "NoSuchKey", "<Key>key</Key>", ErrNotFound, "NoSuchKey; some text")
	f(404, "NoSuchBucket", "", ErrNotFound, "NoSuchBucket")
	f(403, "AccessDenied", "", ErrForbidden, "s3:ListBucket")
	f(403, "", "", ErrForbidden, "403")
	// Faults in our credentials or clock say nothing about the object.
	f(403, "RequestTimeTooSkewed", "", ErrUnavailable, "clock")
	f(403, "InvalidAccessKeyId", "<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId>", ErrUnavailable, "credentials")
	f(403, "SignatureDoesNotMatch", "<StringToSign>hush</StringToSign><CanonicalRequest>hush</CanonicalRequest>", ErrUnavailable, "secret key")
	f(400, "ExpiredToken", "<Token-0>hush-token</Token-0>", ErrUnavailable, "expired")
	f(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", ErrUnavailable, `the bucket is in "eu-west-1", asked for in "us-east-1"`)
	f(301, "PermanentRedirect", "<Region>eu-west-1</Region>", ErrUnavailable, `in "eu-west-1"`)
	f(307, "TemporaryRedirect", "", ErrUnavailable, "307")
	f(503, "SlowDown", "", ErrUnavailable, "SlowDown")
	f(500, "InternalError", "", ErrUnavailable, "InternalError")
	f(503, "\x00<not xml", "", ErrUnavailable, "503")
	f(304, "", "", ErrUnavailable, "304") // unexpected: the request had no validator
	f(206, "", "", ErrUnavailable, "206")
}

func TestS3RegionFromHeader(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "ap-south-1")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	_, err := newS3(t, u).Load(t.Context(), Request{URL: "s3://bucket/key"})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), `in "ap-south-1"`) {
		t.Errorf("unexpected error: %v", err)
	}
}

func TestS3RequestsAreSigned(t *testing.T) {
	var got *http.Request
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	s := newS3(t, u, func(o *S3Options) {
		o.BucketRegions = map[string]string{"far": "eu-west-1"}
		o.Skew = func() time.Duration { return 10 * time.Minute }
	})
	for bucket, region := range map[string]string{"near": "us-east-1", "far": "eu-west-1"} {
		if _, err := s.Load(t.Context(), Request{URL: "s3://" + bucket + "/key", ETag: `"1"`}); err != nil {
			t.Fatal(err)
		}
		auth := got.Header.Get("Authorization")
		if !strings.Contains(auth, "/"+region+"/s3/aws4_request") || got.Header.Get("X-Amz-Security-Token") != "hush-token" ||
			got.Header.Get("If-None-Match") != `"1"` || !strings.Contains(auth, "x-amz-security-token") {
			t.Errorf("unexpected request: %v", got.Header)
		}
		signed, err := time.Parse("20060102T150405Z", got.Header.Get("X-Amz-Date"))
		if ahead := time.Until(signed); err != nil || ahead < 9*time.Minute || ahead > 11*time.Minute {
			t.Errorf("the skew was not applied: signed %v ahead", ahead)
		}
	}
}

func TestS3Bodies(t *testing.T) {
	f := func(write http.HandlerFunc, want string, class error) {
		t.Helper()
		doc, err := newS3(t, serve(t, write)).Load(t.Context(), Request{URL: "s3://bucket/key", Limit: 100})
		if string(doc.Body) != want || !errors.Is(err, class) {
			t.Errorf("unexpected document: %q, %v; want %q, %v", doc.Body, err, want, class)
		}
	}
	body := func(s, encoding string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			_, _ = io.WriteString(w, s)
		}
	}
	hundred := strings.Repeat("x", 100)
	f(body(hundred, ""), hundred, nil)
	f(body(hundred+"x", ""), "", ErrTooLarge)
	f(body(string(zip(t, []byte(hundred))), "gzip"), hundred, nil)
	f(body(string(zip(t, []byte(hundred))), "aws-chunked,gzip"), hundred, nil)
	f(body(hundred, "aws-chunked"), hundred, nil)
	f(body(string(zip(t, make([]byte, 1<<24))), "gzip"), "", ErrTooLarge)
	f(body("x", "zstd"), "", ErrUnavailable)
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50")
		_, _ = io.WriteString(w, "cut short")
	}, "", ErrUnavailable)
}

func TestS3Date(t *testing.T) {
	date := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	requestID, age := "1", ""
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", requestID)
		w.Header().Set("Date", date.Format(http.TimeFormat))
		if age != "" {
			w.Header().Set("Age", age)
		}
		w.WriteHeader(http.StatusForbidden)
	})
	dates := 0
	s := newS3(t, u, func(o *S3Options) {
		o.OnDate = func(serverDate, receivedAt time.Time, rtt time.Duration) {
			dates++
			if !serverDate.Equal(date) || time.Since(receivedAt) > time.Minute || rtt <= 0 || rtt > time.Minute {
				t.Errorf("unexpected date: %v, %v, %v", serverDate, receivedAt, rtt)
			}
		}
	})
	_, _ = s.Load(t.Context(), Request{URL: "s3://bucket/key"})
	requestID = "" // answered by a proxy
	_, _ = s.Load(t.Context(), Request{URL: "s3://bucket/key"})
	requestID, age = "1", "3600" // answered by a cache
	_, _ = s.Load(t.Context(), Request{URL: "s3://bucket/key"})
	if dates != 1 {
		t.Errorf("unexpected number of dates: %d, want 1", dates)
	}
}

func TestS3Unavailable(t *testing.T) {
	block := make(chan struct{})
	u := serve(t, func(http.ResponseWriter, *http.Request) { <-block })
	t.Cleanup(func() { close(block) })
	errNone := errors.New("no role session")
	f := func(change func(*S3Options), want error) {
		t.Helper()
		began := time.Now()
		_, err := newS3(t, u, change).Load(t.Context(), Request{URL: "s3://bucket/key"})
		if !errors.Is(err, ErrUnavailable) || want != nil && !errors.Is(err, want) || time.Since(began) > 8*time.Second {
			t.Errorf("unexpected error: %v after %v", err, time.Since(began))
		}
	}
	f(func(o *S3Options) { o.Timeout = 50 * time.Millisecond }, context.DeadlineExceeded)
	f(func(o *S3Options) { o.Endpoint = "http://127.0.0.1:1" }, nil)
	f(func(o *S3Options) {
		o.Credentials = func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errNone }
	}, errNone)
	for _, u := range []string{"s3://bucket", "s3://bucket/", "s3:///key", "s3://Bucket/key", "http://bucket/key", "s3://u@b/key"} {
		if _, err := newS3(t, "http://127.0.0.1:1").Load(t.Context(), Request{URL: u}); !errors.Is(err, ErrNotFound) {
			t.Errorf("unexpected error of %q: %v", u, err)
		}
	}
}
