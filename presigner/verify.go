package presigner

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Errors of Verify, to be compared with errors.Is.
var (
	ErrMalformed   = errors.New("presigner: malformed presigned request")
	ErrAccessKey   = errors.New("presigner: unknown access key")
	ErrToken       = errors.New("presigner: wrong session token")
	ErrSignature   = errors.New("presigner: signature does not match")
	ErrExpired     = errors.New("presigner: request has expired")
	ErrNotYetValid = errors.New("presigner: request is not yet valid")
)

// MaxSkew is how far in the future a request may be dated, S3's fifteen minutes.
const MaxSkew = 15 * time.Minute

// Verification is a presigned request to be checked, as it arrived.
type Verification struct {
	Method     string
	Host       string                   // the Host header
	RequestURI string                   // path and query, as sent
	Header     func(name string) string // other signed headers, by lower-case name; nil if there are none
	Service    string                   // "" is "s3"; for any other the canonical path is the path as sent, encoded once more
	Payload    string                   // the payload's hash in hex; "" is S3's UNSIGNED-PAYLOAD
	Time       time.Time                // now
	Lookup     func(accessKeyID string) (Credentials, bool)
}

// Verified holds the parameters of a valid presigned request.
type Verified struct {
	AccessKeyID string
	Region      string
	Path        string // decoded, not normalised
	VersionID   string
	SignedAt    time.Time
	Expires     time.Duration
}

// presignedQuery is a presigned request's parsed path and query.
type presignedQuery struct {
	path, rawPath string // decoded, and as sent
	canonical     string // sorted and escaped again, without the signature
	values        map[string]string
	signedHeaders []string
	scope         []string // access key id, date, region, service, "aws4_request"
	signedAt      time.Time
	expires       time.Duration
}

// Verify checks the signature of a presigned request and its time, as S3 does. It
// is safe for concurrent use; secrets are compared in constant time.
func Verify(v Verification) (Verified, error) {
	q, credentials, err := v.examine()
	if err != nil {
		return Verified{}, err
	}
	signed := q.path
	if v.Service != "s3" {
		signed = q.rawPath
	}
	want := q.signature(&v, signed, credentials.SecretAccessKey)
	if !hmac.Equal([]byte(want), []byte(q.values["X-Amz-Signature"])) {
		return Verified{}, ErrSignature
	}
	if err := q.checkTime(v.Time, credentials.Expires); err != nil {
		return Verified{}, err
	}
	return Verified{
		AccessKeyID: q.scope[0], Region: q.scope[2], Path: q.path, VersionID: q.values["versionId"],
		SignedAt: q.signedAt, Expires: q.expires,
	}, nil
}

// Check makes those checks of Verify that need no payload hash: the query's syntax and time, the access key and the
// session token, but not the signature. A request that fails Check fails Verify too.
func Check(v Verification) error {
	q, credentials, err := v.examine()
	if err != nil {
		return err
	}
	return q.checkTime(v.Time, credentials.Expires)
}

// examine checks everything about a signature except its time and the signature itself.
func (v *Verification) examine() (q *presignedQuery, credentials Credentials, err error) {
	if v.Service == "" {
		v.Service = "s3"
	}
	if v.Payload == "" {
		v.Payload = "UNSIGNED-PAYLOAD"
	}
	rawPath, rawQuery, _ := strings.Cut(v.RequestURI, "?")
	path, err := url.PathUnescape(rawPath)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, credentials, fmt.Errorf("%w: the path is not an escaped path", ErrMalformed)
	}
	if q, err = parsePresignedQuery(rawQuery, v.Service); err != nil {
		return nil, credentials, err
	}
	q.path, q.rawPath = path, rawPath
	credentials, ok := v.Lookup(q.scope[0])
	if !ok {
		return nil, credentials, fmt.Errorf("%w: %q", ErrAccessKey, q.scope[0])
	}
	if subtle.ConstantTimeCompare([]byte(credentials.SessionToken), []byte(q.values["X-Amz-Security-Token"])) != 1 {
		return nil, credentials, ErrToken
	}
	return q, credentials, nil
}

func parsePresignedQuery(raw, service string) (*presignedQuery, error) {
	pairs, err := canonicalQuery(raw)
	if err != nil {
		return nil, err
	}
	q := &presignedQuery{values: map[string]string{}}
	kept := pairs[:0]
	for _, p := range pairs {
		if _, twice := q.values[p.name]; twice && strings.HasPrefix(p.name, "X-Amz-") {
			return nil, fmt.Errorf("%w: %s occurs twice in the query", ErrMalformed, p.name)
		}
		q.values[p.name] = p.value
		if p.name != "X-Amz-Signature" {
			kept = append(kept, p)
		}
	}
	q.canonical = joinQuery(kept)
	return q, q.parseParameters(service)
}

func (q *presignedQuery) parseParameters(service string) error {
	if a := q.values["X-Amz-Algorithm"]; a != algorithm {
		return fmt.Errorf("%w: X-Amz-Algorithm is %q, want %s", ErrMalformed, a, algorithm)
	}
	q.scope = strings.Split(q.values["X-Amz-Credential"], "/")
	if n := len(q.scope); n > 5 { // an access key id may contain slashes
		q.scope = append([]string{strings.Join(q.scope[:n-4], "/")}, q.scope[n-4:]...)
	}
	if len(q.scope) != 5 || q.scope[4] != "aws4_request" || q.scope[3] != service {
		return fmt.Errorf("%w: X-Amz-Credential's scope is not KEY/DATE/REGION/%s/aws4_request", ErrMalformed, service)
	}
	var err error
	q.signedAt, err = time.Parse("20060102T150405Z", q.values["X-Amz-Date"])
	if err != nil || q.signedAt.Format("20060102") != q.scope[1] {
		return fmt.Errorf("%w: X-Amz-Date %q is not a time on the scope's day", ErrMalformed, q.values["X-Amz-Date"])
	}
	seconds, err := strconv.ParseUint(q.values["X-Amz-Expires"], 10, 32)
	q.expires = time.Duration(seconds) * time.Second
	if err != nil || q.expires < MinExpires || q.expires > MaxExpires {
		return fmt.Errorf("%w: X-Amz-Expires %q is not within 1 … 604800 seconds", ErrMalformed, q.values["X-Amz-Expires"])
	}
	q.signedHeaders = strings.Split(q.values["X-Amz-SignedHeaders"], ";")
	for _, name := range q.signedHeaders {
		if name == "host" {
			return nil
		}
	}
	return fmt.Errorf("%w: X-Amz-SignedHeaders lacks host", ErrMalformed)
}

// signature computes the signature that the request should carry.
func (q *presignedQuery) signature(v *Verification, path, secret string) string {
	var b strings.Builder
	b.WriteString(v.Method + "\n" + string(AppendEscapedKey(nil, path)) + "\n" + q.canonical + "\n")
	for _, name := range q.signedHeaders {
		value := v.Host
		if name != "host" {
			value = ""
			if v.Header != nil {
				value = v.Header(name)
			}
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(q.signedHeaders, ";") + "\n" + v.Payload)
	date, region, service := q.scope[1], q.scope[2], q.scope[3]
	return Sign(b.String(), q.values["X-Amz-Date"], secret, date, region, service)
}

// Sign is steps 2 and 3 of SigV4 for any service: the hex signature of a canonical
// request at amzDate ("20060102T150405Z"), in the scope of date, region and service.
func Sign(canonicalRequest, amzDate, secret, date, region, service string) string {
	digest := sha256.Sum256([]byte(canonicalRequest))
	toSign := algorithm + "\n" + amzDate + "\n" + date + "/" + region + "/" + service + scopeEnd + "\n" + hex.EncodeToString(digest[:])
	mac := hmac.New(sha256.New, deriveKey(secret, date, region, service))
	mac.Write([]byte(toSign))
	return hex.EncodeToString(mac.Sum(nil))
}

func (q *presignedQuery) checkTime(now, sessionEnds time.Time) error {
	switch end := q.signedAt.Add(q.expires); {
	case q.signedAt.After(now.Add(MaxSkew)):
		return fmt.Errorf("%w: it is dated %s", ErrNotYetValid, q.signedAt.Format(time.RFC3339))
	case now.After(end):
		return fmt.Errorf("%w: it was valid until %s", ErrExpired, end.Format(time.RFC3339))
	case !sessionEnds.IsZero() && now.After(sessionEnds):
		return fmt.Errorf("%w: its session ended at %s", ErrExpired, sessionEnds.UTC().Format(time.RFC3339))
	}
	return nil
}

type queryPair struct{ name, value string }

// canonicalQuery decodes a raw query and sorts it by escaped name, then value.
func canonicalQuery(raw string) ([]queryPair, error) {
	var pairs []queryPair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%w: the query is not percent-encoded", ErrMalformed)
		}
		pairs = append(pairs, queryPair{n, v})
	}
	escaped := func(s string) string { return string(appendEscapedQuery(nil, s)) }
	sort.SliceStable(pairs, func(i, j int) bool {
		if a, b := escaped(pairs[i].name), escaped(pairs[j].name); a != b {
			return a < b
		}
		return escaped(pairs[i].value) < escaped(pairs[j].value)
	})
	return pairs, nil
}

func joinQuery(pairs []queryPair) string {
	var b []byte
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(appendEscapedQuery(b, p.name), '=')
		b = appendEscapedQuery(b, p.value)
	}
	return string(b)
}
