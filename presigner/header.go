package presigner

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"
)

// MaxHeaderSkew is how far the date of a request with an Authorization header may be from
// now, in either direction: AWS's five minutes.
const MaxHeaderSkew = 5 * time.Minute

// HeaderVerification is a request signed in its Authorization header, as it arrived.
type HeaderVerification struct {
	Method     []byte
	RequestURI []byte // path and query, as sent
	// Values returns all values of a header, by lower-case name; Host is one. They are valid until the next call.
	Values func(name string) [][]byte
	Body   []byte    // hashed here: a header with the hash is not trusted
	Time   time.Time // now
	Lookup func(accessKeyID string) (Credentials, bool)
	Keys   *SigningKeys // nil: every request's key is derived anew
}

// VerifiedHeader says who signed a request, and for what.
type VerifiedHeader struct {
	AccessKeyID string
	Region      string
	Service     string
	SignedAt    time.Time
}

// VerifyHeader checks the signature of a request with an Authorization header (SigV4,
// "Authenticating Requests: Using the Authorization Header"), and that its date is within
// MaxHeaderSkew of now. The canonical path is the path as sent, percent-encoded once more,
// as for every service but S3; nothing is normalised. Errors are those of Verify. It is
// safe for concurrent use; secrets are compared in constant time.
func VerifyHeader(v HeaderVerification) (VerifiedHeader, error) {
	s := workspaces.Get().(*workspace)
	defer workspaces.Put(s)
	a, credentials, err := v.examine(s)
	if err != nil {
		return VerifiedHeader{}, err
	}
	if s.text, err = a.appendCanonicalRequest(s.text[:0], &v); err != nil {
		return VerifiedHeader{}, err
	}
	key, known := v.Keys.get(a.credential, credentials.SecretAccessKey)
	if !known {
		if key, err = newHMACState(deriveKey(credentials.SecretAccessKey, a.date, a.region, a.service)); err != nil {
			return VerifiedHeader{}, err
		}
	}
	want, err := s.sign(&key, &a)
	if err != nil {
		return VerifiedHeader{}, err
	}
	if subtle.ConstantTimeCompare(want, []byte(a.signature)) != 1 {
		return VerifiedHeader{}, ErrSignature
	}
	if !known {
		v.Keys.add(a.credential, credentials.SecretAccessKey, key)
	}
	if !credentials.Expires.IsZero() && v.Time.After(credentials.Expires) {
		return VerifiedHeader{}, fmt.Errorf("%w: its session ended at %s", ErrExpired, credentials.Expires.UTC().Format(time.RFC3339))
	}
	return VerifiedHeader{AccessKeyID: a.accessKeyID, Region: a.region, Service: a.service, SignedAt: a.signedAt}, nil
}

// CheckHeader makes those checks of VerifyHeader that need no body: the header's syntax and time, the access key and the
// session token, but not the signature. A request that fails CheckHeader fails VerifyHeader too.
func CheckHeader(v HeaderVerification) error {
	s := workspaces.Get().(*workspace)
	defer workspaces.Put(s)
	_, _, err := v.examine(s)
	return err
}

// examine checks everything about a signature except the signature itself.
func (v *HeaderVerification) examine(s *workspace) (a authorization, credentials Credentials, err error) {
	if err = a.parse(v.Values); err != nil {
		return a, credentials, err
	}
	switch {
	case v.Time.Sub(a.signedAt) > MaxHeaderSkew:
		return a, credentials, fmt.Errorf("%w: it is dated %s, more than %v ago", ErrExpired, string(a.amzDate[:]), MaxHeaderSkew)
	case a.signedAt.Sub(v.Time) > MaxHeaderSkew:
		return a, credentials, fmt.Errorf("%w: it is dated %s, more than %v from now", ErrNotYetValid, string(a.amzDate[:]), MaxHeaderSkew)
	}
	credentials, ok := v.Lookup(a.accessKeyID)
	if !ok {
		return a, credentials, fmt.Errorf("%w: %q", ErrAccessKey, a.accessKeyID)
	}
	s.text = appendCanonicalValue(s.text[:0], v.Values("x-amz-security-token"))
	if subtle.ConstantTimeCompare([]byte(credentials.SessionToken), s.text) != 1 {
		return a, credentials, ErrToken
	}
	return a, credentials, nil
}

// ErrUnsigned is VerifyHeader's error for a request without a SigV4 Authorization header.
var ErrUnsigned = fmt.Errorf("%w: there is no Authorization header of %s", ErrMalformed, algorithm)

// authorization is a parsed Authorization header, and the X-Amz-Date header.
type authorization struct {
	credential                         string // KEY/DATE/REGION/SERVICE/aws4_request
	accessKeyID, date, region, service string // its parts
	signedHeaders                      string // names, with semicolons between
	signature                          string
	amzDate                            [len(amzDateLayout)]byte
	signedAt                           time.Time
}

const amzDateLayout = "20060102T150405Z"

var algorithmSpace = []byte(algorithm + " ")

func (a *authorization) parse(values func(string) [][]byte) error {
	headers := values("authorization")
	if len(headers) > 1 {
		return fmt.Errorf("%w: there are %d Authorization headers", ErrMalformed, len(headers))
	}
	if len(headers) == 0 || !bytes.HasPrefix(headers[0], algorithmSpace) {
		return ErrUnsigned
	}
	part, rest, more := "", string(headers[0][len(algorithm):]), true
	for more {
		part, rest, more = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			a.credential = value
		case "SignedHeaders":
			a.signedHeaders = value
		case "Signature":
			a.signature = value
		}
	}
	switch {
	case !a.parseScope():
		return fmt.Errorf("%w: Credential's scope is not KEY/DATE/REGION/SERVICE/aws4_request", ErrMalformed)
	case !signs(a.signedHeaders, "host"):
		return fmt.Errorf("%w: SignedHeaders lacks host", ErrMalformed)
	case a.signature == "":
		return fmt.Errorf("%w: there is no Signature", ErrMalformed)
	}
	return a.parseDate(values("x-amz-date"))
}

// parseScope parses a credential from its end, because an access key id may contain slashes.
func (a *authorization) parseScope() bool {
	rest, ok := strings.CutSuffix(a.credential, scopeEnd)
	for _, part := range []*string{&a.service, &a.region, &a.date} {
		at := strings.LastIndexByte(rest, '/')
		if at < 0 {
			return false
		}
		rest, *part = rest[:at], rest[at+1:]
	}
	a.accessKeyID = rest
	return ok
}

// signs reports whether a list of signed headers contains name.
func signs(list, name string) bool {
	for signed := range strings.SplitSeq(list, ";") {
		if signed == name {
			return true
		}
	}
	return false
}

func (a *authorization) parseDate(dates [][]byte) error {
	if len(dates) != 1 {
		return fmt.Errorf("%w: there are %d X-Amz-Date headers", ErrMalformed, len(dates))
	}
	date := bytes.TrimSpace(dates[0])
	if copy(a.amzDate[:], date); len(date) == len(a.amzDate) && string(date[:8]) == a.date {
		var ok bool
		if a.signedAt, ok = parseAmzDate(&a.amzDate); ok {
			return nil
		}
	}
	return fmt.Errorf("%w: X-Amz-Date %q is not a time on the scope's day", ErrMalformed, date)
}

// parseAmzDate is time.Parse of amzDateLayout without parsing the layout (BenchmarkVerifyHeader).
func parseAmzDate(s *[len(amzDateLayout)]byte) (t time.Time, ok bool) {
	if s[8] != 'T' || s[15] != 'Z' {
		return t, false
	}
	digits := true
	number := func(from, to int) (n int) {
		for _, c := range s[from:to] {
			digits = digits && c >= '0' && c <= '9'
			n = n*10 + int(c-'0')
		}
		return n
	}
	month, day := time.Month(number(4, 6)), number(6, 8)
	hour, minute, second := number(9, 11), number(11, 13), number(13, 15)
	t = time.Date(number(0, 4), month, day, hour, minute, second, 0, time.UTC)
	// time.Date turns the 31st of a month with 30 days into the first of the next month.
	onCalendar := month >= time.January && month <= time.December && day >= 1 && (day <= 28 || t.Day() == day)
	return t, digits && onCalendar && hour < 24 && minute < 60 && second < 60
}

// emptyPayload is the hash of an empty body.
var emptyPayload = hex.AppendEncode(nil, sha256.New().Sum(nil))

// appendCanonicalRequest appends step 1 of SigV4 for the request as it arrived.
func (a *authorization) appendCanonicalRequest(dst []byte, v *HeaderVerification) ([]byte, error) {
	path, rawQuery, _ := bytes.Cut(v.RequestURI, []byte("?"))
	dst = append(append(dst, v.Method...), '\n')
	dst = append(AppendEscapedKey(dst, path), '\n')
	if len(rawQuery) > 0 {
		query, err := canonicalQuery(string(rawQuery))
		if err != nil {
			return dst, err
		}
		dst = append(dst, joinQuery(query)...)
	}
	dst = append(dst, '\n')
	name, rest, more := "", a.signedHeaders, true
	for more {
		name, rest, more = strings.Cut(rest, ";")
		dst = append(append(dst, name...), ':')
		if name == "x-amz-date" { // already read by parseDate
			dst = append(dst, a.amzDate[:]...)
		} else {
			dst = appendCanonicalValue(dst, v.Values(name))
		}
		dst = append(dst, '\n')
	}
	dst = append(append(append(dst, '\n'), a.signedHeaders...), '\n')
	at := len(dst)
	if len(v.Body) == 0 {
		dst = append(dst, emptyPayload...)
	} else {
		digest := sha256.Sum256(v.Body)
		dst = hex.AppendEncode(dst, digest[:])
	}
	if stated := v.Values("x-amz-content-sha256"); len(stated) > 0 {
		end := len(dst)
		dst = appendCanonicalValue(dst, stated)
		if !bytes.Equal(dst[end:], dst[at:end]) {
			return dst, fmt.Errorf("%w: X-Amz-Content-Sha256 is not the hash of the body", ErrSignature)
		}
		dst = dst[:end]
	}
	return dst, nil
}

// appendCanonicalValue joins a header's values as SigV4 does: each trimmed, runs of spaces
// replaced by one space, with commas between.
func appendCanonicalValue(dst []byte, values [][]byte) []byte {
	if len(values) == 1 && !bytes.ContainsAny(values[0], " \t\r\n") {
		return append(dst, values[0]...)
	}
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		first := true
		for word := range bytes.FieldsSeq(v) {
			if !first {
				dst = append(dst, ' ')
			}
			dst, first = append(dst, word...), false
		}
	}
	return dst
}

// workspace is the scratch space of one verification.
type workspace struct {
	text   []byte // the canonical request
	toSign []byte
	mac    []byte
	hash   hash.Hash
}

var workspaces = sync.Pool{New: func() any { return &workspace{hash: sha256.New()} }}

// sign returns the signature, in hexadecimal, of the canonical request in s.text: steps 2 and 4 of SigV4. It is valid
// until s is used again.
func (s *workspace) sign(key *hmacState, a *authorization) ([]byte, error) {
	digest := sha256.Sum256(s.text)
	b := append(append(append(s.toSign[:0], algorithm+"\n"...), a.amzDate[:]...), '\n')
	b = append(append(b, a.credential[len(a.accessKeyID)+1:]...), '\n') // the scope
	s.toSign = hex.AppendEncode(b, digest[:])
	mac, err := key.sum(s.mac[:0], s.hash, s.toSign)
	if err != nil {
		return nil, err
	}
	s.mac = hex.AppendEncode(mac, mac)
	return s.mac[len(mac):], nil
}
