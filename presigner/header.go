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

// MaxHeaderSkew is how far the date of a request that is signed in its header may be
// from now, in either direction: AWS's five minutes.
const MaxHeaderSkew = 5 * time.Minute

// HeaderVerification is a request signed in its Authorization header, as it arrived.
type HeaderVerification struct {
	Method     string
	RequestURI string // path and query, as sent
	// Values returns all values of a header, by lower-case name; Host is one. They are valid until the next call.
	Values func(name string) [][]byte
	Body   []byte    // hashed here: a header that states the hash is not believed
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

// VerifyHeader checks the signature of a request that is signed in its header (SigV4,
// "Authenticating Requests: Using the Authorization Header"), and that it is dated
// within MaxHeaderSkew of now. The canonical path is the path as sent, percent-encoded
// once more, as every service but S3 has it; nothing is normalised. Errors are those of
// Verify. It is safe for concurrent use; secrets are compared in constant time.
func VerifyHeader(v HeaderVerification) (VerifiedHeader, error) {
	a, credentials, err := v.examine()
	if err != nil {
		return VerifiedHeader{}, err
	}
	s := workspaces.Get().(*workspace)
	defer workspaces.Put(s)
	if s.text, err = a.appendCanonicalRequest(s.text[:0], &v); err != nil {
		return VerifiedHeader{}, err
	}
	scope := signingScope{credentials.SecretAccessKey, a.date, a.region, a.service}
	key, known := v.Keys.get(scope)
	if !known {
		if key, err = newHMACState(scope.derive()); err != nil {
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
		v.Keys.add(scope.clone(), key)
	}
	if !credentials.Expires.IsZero() && v.Time.After(credentials.Expires) {
		return VerifiedHeader{}, fmt.Errorf("%w: its session ended at %s", ErrExpired, credentials.Expires.UTC().Format(time.RFC3339))
	}
	return VerifiedHeader{AccessKeyID: a.accessKeyID, Region: a.region, Service: a.service, SignedAt: a.signedAt}, nil
}

// CheckHeader does what VerifyHeader does without the body: it checks the header's shape and time, the access key and the
// session token, and not the signature. A request that fails here fails there.
func CheckHeader(v HeaderVerification) error {
	_, _, err := v.examine()
	return err
}

// examine checks all that is said of a signature but the signature itself.
func (v *HeaderVerification) examine() (a authorization, credentials Credentials, err error) {
	if a, err = parseAuthorization(v.Values); err != nil {
		return a, credentials, err
	}
	switch {
	case v.Time.Sub(a.signedAt) > MaxHeaderSkew:
		return a, credentials, fmt.Errorf("%w: it is dated %s, more than %v ago", ErrExpired, a.amzDate[:], MaxHeaderSkew)
	case a.signedAt.Sub(v.Time) > MaxHeaderSkew:
		return a, credentials, fmt.Errorf("%w: it is dated %s, more than %v from now", ErrNotYetValid, a.amzDate[:], MaxHeaderSkew)
	}
	credentials, ok := v.Lookup(a.accessKeyID)
	if !ok {
		return a, credentials, fmt.Errorf("%w: %q", ErrAccessKey, a.accessKeyID)
	}
	s := workspaces.Get().(*workspace)
	defer workspaces.Put(s)
	s.text = appendCanonicalValue(s.text[:0], v.Values("x-amz-security-token"))
	if subtle.ConstantTimeCompare([]byte(credentials.SessionToken), s.text) != 1 {
		return a, credentials, ErrToken
	}
	return a, credentials, nil
}

// ErrUnsigned is what VerifyHeader finds wrong with a request that carries no SigV4
// Authorization header at all.
var ErrUnsigned = fmt.Errorf("%w: there is no Authorization header of %s", ErrMalformed, algorithm)

// authorization is an Authorization header, taken apart, and the X-Amz-Date header.
type authorization struct {
	accessKeyID, date, region, service string // the scope
	signedHeaders                      string // names, with semicolons between
	signature                          string
	amzDate                            [len(amzDateLayout)]byte
	signedAt                           time.Time
}

const amzDateLayout = "20060102T150405Z"

func parseAuthorization(values func(string) [][]byte) (a authorization, err error) {
	headers := values("authorization")
	if len(headers) > 1 {
		return a, fmt.Errorf("%w: there are %d Authorization headers", ErrMalformed, len(headers))
	}
	if len(headers) == 0 || !bytes.HasPrefix(headers[0], []byte(algorithm+" ")) {
		return a, ErrUnsigned
	}
	scope := ""
	for part := range strings.SplitSeq(string(headers[0][len(algorithm):]), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope = value
		case "SignedHeaders":
			a.signedHeaders = value
		case "Signature":
			a.signature = value
		}
	}
	switch {
	case !a.parseScope(scope):
		return a, fmt.Errorf("%w: Credential's scope is not KEY/DATE/REGION/SERVICE/aws4_request", ErrMalformed)
	case !signs(a.signedHeaders, "host"):
		return a, fmt.Errorf("%w: SignedHeaders lacks host", ErrMalformed)
	case a.signature == "":
		return a, fmt.Errorf("%w: there is no Signature", ErrMalformed)
	}
	return a, a.parseDate(values("x-amz-date"))
}

// parseScope takes a scope apart from its end: an access key id may hold slashes.
func (a *authorization) parseScope(scope string) bool {
	rest, ok := strings.CutSuffix(scope, scopeEnd)
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

// signs says whether a list of signed headers holds name.
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
	var err error
	if copy(a.amzDate[:], date); len(date) == len(a.amzDate) && string(date[:8]) == a.date {
		if a.signedAt, err = time.Parse(amzDateLayout, string(date)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: X-Amz-Date %q is not a time on the scope's day", ErrMalformed, date)
}

// emptyPayload is the hash of no body.
var emptyPayload = hex.AppendEncode(nil, sha256.New().Sum(nil))

// appendCanonicalRequest appends step 1 of SigV4 for the request as it arrived.
func (a *authorization) appendCanonicalRequest(dst []byte, v *HeaderVerification) ([]byte, error) {
	path, rawQuery, _ := strings.Cut(v.RequestURI, "?")
	dst = append(append(dst, v.Method...), '\n')
	dst = append(AppendEscapedKey(dst, path), '\n')
	if rawQuery != "" {
		query, err := canonicalQuery(rawQuery)
		if err != nil {
			return dst, err
		}
		dst = append(dst, joinQuery(query)...)
	}
	dst = append(dst, '\n')
	for name := range strings.SplitSeq(a.signedHeaders, ";") {
		dst = append(append(dst, name...), ':')
		dst = append(appendCanonicalValue(dst, v.Values(name)), '\n')
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

// appendCanonicalValue joins a header's values as SigV4 does: each trimmed, its runs of
// spaces made one, with commas between.
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

// workspace is what one verification works with.
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
	b = append(append(b, a.date...), '/')
	b = append(append(b, a.region...), '/')
	b = append(append(b, a.service...), scopeEnd+"\n"...)
	s.toSign = hex.AppendEncode(b, digest[:])
	mac, err := key.sum(s.mac[:0], s.hash, s.toSign)
	if err != nil {
		return nil, err
	}
	s.mac = hex.AppendEncode(mac, mac)
	return s.mac[len(mac):], nil
}
