package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// S3Options are the settings of an S3 source. Credentials and Region are required.
type S3Options struct {
	// Credentials is called before each request; it must return soon after ctx ends.
	Credentials func(ctx context.Context) (aws.Credentials, error)
	// Region is that of all buckets not in BucketRegions.
	Region        string
	BucketRegions map[string]string
	// Endpoint is "http(s)://host[:port]" of a server other than AWS, with buckets in the
	// path; "" is AWS, with buckets in the host.
	Endpoint string

	// DNSSuffix returns the domain of a region's hosts, which differs between AWS's
	// partitions; nil: amazonaws.com for all.
	DNSSuffix func(region string) string

	// Skew returns what to add to the local clock when signing; nil is nothing.
	Skew func() time.Duration
	// OnDate receives the Date of each of S3's answers to a signed request, the local time at
	// which it arrived, and the round-trip time. May be nil.
	OnDate func(serverDate, receivedAt time.Time, rtt time.Duration)

	Timeout        time.Duration // of a whole load (10 s)
	ConnectTimeout time.Duration // of one connection (3 s)
}

// S3 reads documents from S3 or a compatible server. Keys are not normalized; redirects
// are not followed. Proxies come from the environment (HTTPS_PROXY, NO_PROXY), as with
// AWS's tools.
type S3 struct {
	options   S3Options
	endpoint  *url.URL // or nil
	signer    *v4.Signer
	transport *http.Transport
}

// NewS3 returns an S3 source. Its idle connections are closed by [S3.Close].
func NewS3(o S3Options) (*S3, error) {
	if o.Credentials == nil {
		return nil, errors.New("cannot read documents from S3: no credentials")
	}
	if o.Region == "" {
		return nil, errors.New("cannot read documents from S3: no region; see AWS_REGION")
	}
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	s := &S3{options: o}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("cannot read documents from S3 at %q: not http(s)://host[:port]; see AWS_ENDPOINT_URL_S3", withoutQuery(o.Endpoint))
		}
		s.endpoint = u
	}
	s.signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 escapes once
	s.transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cmp.Or(o.ConnectTimeout, defaultConnectTimeout)}).DialContext,
		TLSHandshakeTimeout: cmp.Or(o.ConnectTimeout, defaultConnectTimeout),
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     idleConnTimeout,

		MaxResponseHeaderBytes: 64 << 10,
	}
	return s, nil
}

// Name returns "s3".
func (*S3) Name() string { return "s3" }

// Close closes the idle connections.
func (s *S3) Close() { s.transport.CloseIdleConnections() }

// Load gets one object, "s3://bucket/key".
func (s *S3) Load(ctx context.Context, r Request) (Document, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	rest, ok := strings.CutPrefix(r.URL, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !ok || !validBucket(bucket) || key == "" {
		return Document{}, failure(ErrNotFound, r.URL, "not s3://bucket/key")
	}
	region := s.region(bucket)
	req, err := s.request(ctx, bucket, key, region, &r)
	if err != nil {
		return Document{}, failure(ErrUnavailable, r.URL, "%w", err)
	}
	if r.TraceParent != "" { // not signed: a proxy may change it
		req.Header.Set(headerTraceParent, r.TraceParent)
		if r.TraceState != "" {
			req.Header.Set(headerTraceState, r.TraceState)
		}
	}
	sent := time.Now()
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return Document{}, failure(ErrUnavailable, r.URL, "%w", innermost(err))
	}
	defer func() { _ = resp.Body.Close() }()
	s.observe(resp, sent)
	doc := Document{
		ContentType:  resp.Header.Get("Content-Type"),
		ETag:         resp.Header.Get("ETag"),
		LastModified: resp.Header.Get("Last-Modified"),
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && r.ETag != "":
		return revalidated(doc, &r), nil
	case resp.StatusCode != http.StatusOK:
		return Document{}, s3Failure(&r, resp, region)
	}
	encoding := resp.Header.Get("Content-Encoding")
	if resp.ContentLength > r.limit() && encoding == "" {
		return Document{}, tooLarge(&r)
	}
	if doc.Body, err = readBody(resp.Body, encoding, r.limit()); err != nil {
		return Document{}, bodyFailure(&r, err)
	}
	return doc, nil
}

// emptyHash is the SHA-256 of no bytes, the payload of a GET.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// request makes the signed request for an object.
func (s *S3) request(ctx context.Context, bucket, key, region string, r *Request) (*http.Request, error) {
	return s.sign(ctx, call{http.MethodGet, s.objectURL(bucket, key, region), region, r.ETag})
}

// call is a request for an object.
type call struct {
	method string
	url    *url.URL
	region string
	etag   string // of the cached copy, or ""
}

// sign makes the signed request for a call.
func (s *S3) sign(ctx context.Context, c call) (*http.Request, error) {
	credentials, err := s.options.Credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("no credentials: %w", err)
	}
	req := (&http.Request{Method: c.method, URL: c.url, Host: c.url.Host, Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	if c.etag != "" {
		req.Header.Set("If-None-Match", c.etag)
	}
	now := time.Now()
	if s.options.Skew != nil {
		now = now.Add(s.options.Skew())
	}
	if err := s.signer.SignHTTP(ctx, credentials, req, emptyHash, "s3", c.region, now); err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return req, nil
}

// objectURL returns the URL of an object. The bucket is in the path with a configured
// endpoint, or if it has dots, which no certificate covers; otherwise in the host.
func (s *S3) objectURL(bucket, key, region string) *url.URL {
	u := &url.URL{Scheme: "https", Host: bucket + ".s3." + region + "." + s.dnsSuffix(region), Path: "/" + key}
	switch {
	case s.endpoint != nil:
		u.Scheme, u.Host, u.Path = s.endpoint.Scheme, s.endpoint.Host, "/"+bucket+"/"+key
	case strings.Contains(bucket, "."):
		u.Host, u.Path = "s3."+region+"."+s.dnsSuffix(region), "/"+bucket+"/"+key
	}
	u.RawPath = httpbinding.EscapePath(u.Path, false)
	return u
}

func (s *S3) region(bucket string) string {
	if region, ok := s.options.BucketRegions[bucket]; ok {
		return region
	}
	return s.options.Region
}

// dnsSuffix returns the domain of a region's hosts.
func (s *S3) dnsSuffix(region string) string {
	if s.options.DNSSuffix == nil {
		return "amazonaws.com"
	}
	return s.options.DNSSuffix(region)
}

// observe reports the server's clock. It ignores answers without a request id, which are not S3's, and answers with an Age,
// which come from a cache.
func (s *S3) observe(resp *http.Response, sent time.Time) {
	if s.options.OnDate == nil || resp.Header.Get("X-Amz-Request-Id") == "" || resp.Header.Get("Age") != "" {
		return
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		received := time.Now()
		s.options.OnDate(date, received, received.Sub(sent))
	}
}
