package presigner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// SigV4's bounds on X-Amz-Expires.
const (
	MinExpires = time.Second
	MaxExpires = 7 * 24 * time.Hour
)

// maxKeys bounds the signing keys that a Signer keeps: AWS has some forty regions, with
// two days each around midnight. Untrusted text can name more.
const maxKeys = 64

// Errors of AppendURL, to be compared with errors.Is.
var (
	ErrExpires = errors.New("presigner: expires out of range")
	ErrTime    = errors.New("presigner: time out of range")
)

// Method is the HTTP method that a URL allows.
type Method uint8

// The methods that job documents need: download and upload.
const (
	GET Method = iota
	PUT
)

// String returns the method as written in a request.
func (m Method) String() string {
	if m == PUT {
		return "PUT"
	}
	return "GET"
}

// Request asks for one URL. AppendURL does not retain it.
type Request struct {
	Method  Method
	Target  *Target
	Path    []byte        // if not nil, replaces Target.Path: an escaped path that begins with "/"
	Expires time.Duration // 1 s … 7 days, cut to whole seconds
	Time    time.Time     // start of the URL's validity, cut to whole seconds
}

// Signer signs with one set of credentials. It is safe for concurrent use. The key of
// a region and day is derived on their first URL and kept until the next day.
type Signer struct {
	credentials Credentials
	service     string
	tail        string                        // the query after the lifetime: token and signed headers
	keys        atomic.Pointer[[]*signingKey] // copied on write; one or two days of each region
}

// NewSigner returns a Signer for c, or ErrCredentials if c cannot sign.
func NewSigner(c Credentials) (*Signer, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	tail := []byte{}
	if c.SessionToken != "" {
		tail = appendEscapedQuery(append(tail, "&X-Amz-Security-Token="...), c.SessionToken)
	}
	tail = append(tail, "&X-Amz-SignedHeaders=host"...)
	s := &Signer{credentials: c, service: "s3", tail: string(tail)}
	s.keys.Store(&[]*signingKey{})
	return s, nil
}

// Expires returns when the credentials end; the zero time means never. AppendURL
// ignores it: the Signer's owner must make sure that URLs end before.
func (s *Signer) Expires() time.Time { return s.credentials.Expires }

// URL is AppendURL for one object, with all arguments validated.
func (s *Signer) URL(o Object, m Method, expires time.Duration, now time.Time) (string, error) {
	if err := o.Validate(); err != nil {
		return "", err
	}
	target := o.Target()
	url, err := s.AppendURL(nil, &Request{Method: m, Target: &target, Expires: expires, Time: now})
	if err != nil {
		return "", fmt.Errorf("cannot presign %q: %w", o.Bucket+"/"+o.Key, err)
	}
	return string(url), nil
}

// scratch is the working memory of one signature besides dst.
type scratch struct {
	toSign []byte
	mac    []byte
	sha256 hash.Hash
}

var scratches = sync.Pool{New: func() any {
	return &scratch{toSign: make([]byte, 0, 256), mac: make([]byte, 0, sha256.Size), sha256: sha256.New()}
}}

// AppendURL appends the presigned URL for r to dst and returns the extended slice;
// on an error it returns dst as it was. The URL holds only unreserved characters
// and "%/?&=:", so it needs no escaping in a JSON string. It allocates nothing
// beyond dst's growth, except for the first URL of a region and day.
//
// The bytes that are signed are the bytes that are sent: path and query are adjacent in
// both, so they are hashed in place in dst. The differing bytes are inserted for hashing
// and then removed again:
//
//	https://s3.us-east-1.amazonaws.com /bucket/key ?  X-Amz-Algorithm=… &X-Amz-Signature=…
//	                             GET\n /bucket/key \n X-Amz-Algorithm=… \nhost:s3.us-east-1…
func (s *Signer) AppendURL(dst []byte, r *Request) ([]byte, error) {
	key, unix, err := s.check(r)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(dst, r.Target.Origin...)
	pathStart := len(dst)
	if r.Path != nil {
		dst = append(dst, r.Path...)
	} else {
		dst = append(dst, r.Target.Path...)
	}
	queryMark := len(dst)
	dst = append(dst, '\n')
	dst = s.appendQuery(dst, r, key, unix)
	queryEnd := len(dst)
	dst = append(dst, "\nhost:"...)
	dst = append(dst, r.Target.Host...)
	dst = append(dst, "\n\nhost\nUNSIGNED-PAYLOAD"...)
	method := dst[pathStart-methodBytes : pathStart]
	copy(method, r.Method.line())
	digest := sha256.Sum256(dst[pathStart-methodBytes:])
	copy(method, r.Target.Origin[len(r.Target.Origin)-methodBytes:])
	dst[queryMark] = '?'

	x := scratches.Get().(*scratch)
	defer scratches.Put(x)
	signature, err := x.sign(key, unix, digest[:])
	if err != nil {
		return dst[:start], err
	}
	dst = append(dst[:queryEnd], "&X-Amz-Signature="...)
	return hex.AppendEncode(dst, signature), nil
}

// methodBytes is the length of a method's line in a canonical request. Every origin is longer.
const methodBytes = len("GET\n")

// line returns the first line of the canonical request.
func (m Method) line() string {
	if m == PUT {
		return "PUT\n"
	}
	return "GET\n"
}

// check returns the signing key for r, and its time in Unix seconds, if it can be signed.
func (s *Signer) check(r *Request) (*signingKey, int64, error) {
	unix := r.Time.Unix()
	switch {
	case unix < 0 || unix > maxUnix:
		return nil, 0, fmt.Errorf("%w: %d seconds since 1970 is not in a year that SigV4 can write", ErrTime, unix)
	case r.Expires < MinExpires || r.Expires > MaxExpires:
		return nil, 0, fmt.Errorf("%w: %v is not within SigV4's %v … 7 days", ErrExpires, r.Expires, MinExpires)
	case len(r.Target.Origin) < methodBytes:
		return nil, 0, fmt.Errorf("%w: its target was not made by Object.Target", ErrObject)
	}
	key, err := s.key(r.Target.Region, unix/secondsPerDay)
	return key, unix, err
}

// appendQuery appends the canonical query, which is the URL's query without the signature.
func (s *Signer) appendQuery(dst []byte, r *Request, key *signingKey, unix int64) []byte {
	dst = append(dst, key.head...)
	dst = appendTimeOfDay(dst, unix)
	dst = append(dst, "&X-Amz-Expires="...)
	dst = strconv.AppendInt(dst, int64(r.Expires/time.Second), 10)
	dst = append(dst, s.tail...)
	if r.Target.Version != "" {
		dst = append(dst, "&versionId="...) // lower case sorts after X-Amz-…
		dst = append(dst, r.Target.Version...)
	}
	return dst
}

// sign is steps 2 and 3: the string to sign and its HMAC, valid until x is used again.
func (x *scratch) sign(key *signingKey, unix int64, digest []byte) ([]byte, error) {
	b := append(x.toSign[:0], algorithm+"\n"...)
	b = append(b, key.date...)
	b = append(b, 'T')
	b = appendTimeOfDay(b, unix)
	b = append(b, '\n')
	b = append(b, key.scope...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, digest)
	x.toSign = b
	mac, err := key.hmac.sum(x.mac[:0], x.sha256, b)
	x.mac = mac
	return mac, err
}

// appendTimeOfDay appends "150405Z".
func appendTimeOfDay(dst []byte, unix int64) []byte {
	t := unix % secondsPerDay
	h, m, s := t/3600, t/60%60, t%60
	return append(dst,
		byte('0'+h/10), byte('0'+h%10),
		byte('0'+m/10), byte('0'+m%10),
		byte('0'+s/10), byte('0'+s%10), 'Z')
}

// key returns the signing key of region and day.
func (s *Signer) key(region string, day int64) (*signingKey, error) {
	// Fast path: already derived.
	for _, k := range *s.keys.Load() {
		if k.day == day && k.region == region {
			return k, nil
		}
	}
	// Slow path: derive it, add it to the others and drop those of past days. Yesterday's
	// stays, because a quantum may straddle midnight.
	fresh, err := newSigningKey(&s.credentials, s.service, region, day)
	if err != nil {
		return nil, err
	}
	for {
		old := s.keys.Load()
		keys := []*signingKey{fresh}
		for _, k := range *old {
			if len(keys) == maxKeys {
				break // the least recently derived go
			}
			if k.day >= day-1 && k.day <= day+1 && (k.day != day || k.region != region) {
				keys = append(keys, k)
			}
		}
		if s.keys.CompareAndSwap(old, &keys) {
			return fresh, nil
		}
	}
}
