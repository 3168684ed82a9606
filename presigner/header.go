package presigner

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxHeaderSkew is how far the date of a request that is signed in its header may be
// from now, in either direction: AWS's five minutes.
const MaxHeaderSkew = 5 * time.Minute

// HeaderVerification is a request signed in its Authorization header, as it arrived.
type HeaderVerification struct {
	Method     string
	RequestURI string                     // path and query, as sent
	Values     func(name string) []string // all values of a header, by lower-case name; Host is one
	Body       []byte                     // hashed here: a header that states the hash is not believed
	Time       time.Time                  // now
	Lookup     func(accessKeyID string) (Credentials, bool)
	Keys       *SigningKeys // nil: every request's key is derived anew
}

// VerifiedHeader says who signed a request, and for what.
type VerifiedHeader struct {
	AccessKeyID string
	Region      string
	Service     string
	SignedAt    time.Time
}

// authorization is an Authorization header, taken apart.
type authorization struct {
	scope         []string // access key id, date, region, service, "aws4_request"
	signedHeaders []string
	signature     string
	amzDate       string // the X-Amz-Date header
	signedAt      time.Time
}

// VerifyHeader checks the signature of a request that is signed in its header (SigV4,
// "Authenticating Requests: Using the Authorization Header"), and that it is dated
// within MaxHeaderSkew of now. The canonical path is the path as sent, percent-encoded
// once more, as every service but S3 has it; nothing is normalised. Errors are those of
// Verify. It is safe for concurrent use; secrets are compared in constant time.
func VerifyHeader(v HeaderVerification) (VerifiedHeader, error) {
	a, err := parseAuthorization(v.Values)
	if err != nil {
		return VerifiedHeader{}, err
	}
	switch {
	case v.Time.Sub(a.signedAt) > MaxHeaderSkew:
		return VerifiedHeader{}, fmt.Errorf("%w: it is dated %s, more than %v ago", ErrExpired, a.amzDate, MaxHeaderSkew)
	case a.signedAt.Sub(v.Time) > MaxHeaderSkew:
		return VerifiedHeader{}, fmt.Errorf("%w: it is dated %s, more than %v from now", ErrNotYetValid, a.amzDate, MaxHeaderSkew)
	}
	credentials, ok := v.Lookup(a.scope[0])
	if !ok {
		return VerifiedHeader{}, fmt.Errorf("%w: %q", ErrAccessKey, a.scope[0])
	}
	token := []byte(canonicalValue(v.Values("x-amz-security-token")))
	if subtle.ConstantTimeCompare([]byte(credentials.SessionToken), token) != 1 {
		return VerifiedHeader{}, ErrToken
	}
	canonical, err := a.canonicalRequest(&v)
	if err != nil {
		return VerifiedHeader{}, err
	}
	scope := signingScope{credentials.SecretAccessKey, a.scope[1], a.scope[2], a.scope[3]}
	key := v.Keys.get(scope)
	known := key != nil
	if !known {
		key = scope.derive()
	}
	want := scope.sign(key, canonical, a.amzDate)
	if !hmac.Equal([]byte(want), []byte(a.signature)) {
		return VerifiedHeader{}, ErrSignature
	}
	if !known {
		v.Keys.add(scope, key)
	}
	if !credentials.Expires.IsZero() && v.Time.After(credentials.Expires) {
		return VerifiedHeader{}, fmt.Errorf("%w: its session ended at %s", ErrExpired, credentials.Expires.UTC().Format(time.RFC3339))
	}
	return VerifiedHeader{AccessKeyID: a.scope[0], Region: a.scope[2], Service: a.scope[3], SignedAt: a.signedAt}, nil
}

// ErrUnsigned is what VerifyHeader finds wrong with a request that carries no SigV4
// Authorization header at all.
var ErrUnsigned = fmt.Errorf("%w: there is no Authorization header of %s", ErrMalformed, algorithm)

func parseAuthorization(values func(string) []string) (*authorization, error) {
	headers := values("authorization")
	if len(headers) > 1 {
		return nil, fmt.Errorf("%w: there are %d Authorization headers", ErrMalformed, len(headers))
	}
	if len(headers) == 0 || !strings.HasPrefix(headers[0], algorithm+" ") {
		return nil, ErrUnsigned
	}
	a := &authorization{}
	for part := range strings.SplitSeq(headers[0][len(algorithm):], ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			a.scope = strings.Split(value, "/")
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	if n := len(a.scope); n > 5 { // an access key id may hold slashes
		a.scope = append([]string{strings.Join(a.scope[:n-4], "/")}, a.scope[n-4:]...)
	}
	switch {
	case len(a.scope) != 5 || a.scope[4] != "aws4_request":
		return nil, fmt.Errorf("%w: Credential's scope is not KEY/DATE/REGION/SERVICE/aws4_request", ErrMalformed)
	case !slices.Contains(a.signedHeaders, "host"):
		return nil, fmt.Errorf("%w: SignedHeaders lacks host", ErrMalformed)
	case a.signature == "":
		return nil, fmt.Errorf("%w: there is no Signature", ErrMalformed)
	}
	return a, a.parseDate(values("x-amz-date"))
}

func (a *authorization) parseDate(dates []string) error {
	if len(dates) != 1 {
		return fmt.Errorf("%w: there are %d X-Amz-Date headers", ErrMalformed, len(dates))
	}
	var err error
	a.amzDate = strings.TrimSpace(dates[0])
	a.signedAt, err = time.Parse("20060102T150405Z", a.amzDate)
	if err != nil || a.amzDate[:8] != a.scope[1] {
		return fmt.Errorf("%w: X-Amz-Date %q is not a time on the scope's day", ErrMalformed, a.amzDate)
	}
	return nil
}

// canonicalRequest is step 1 of SigV4 for the request as it arrived.
func (a *authorization) canonicalRequest(v *HeaderVerification) (string, error) {
	digest := sha256.Sum256(v.Body)
	payload := hex.EncodeToString(digest[:])
	if stated := v.Values("x-amz-content-sha256"); len(stated) > 0 && canonicalValue(stated) != payload {
		return "", fmt.Errorf("%w: X-Amz-Content-Sha256 is not the hash of the body", ErrSignature)
	}
	path, rawQuery, _ := strings.Cut(v.RequestURI, "?")
	query, err := canonicalQuery(rawQuery)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(v.Method + "\n" + string(AppendEscapedKey(nil, path)) + "\n" + joinQuery(query) + "\n")
	for _, name := range a.signedHeaders {
		b.WriteString(name + ":" + canonicalValue(v.Values(name)) + "\n")
	}
	b.WriteString("\n" + strings.Join(a.signedHeaders, ";") + "\n" + payload)
	return b.String(), nil
}

// canonicalValue joins a header's values as SigV4 does: each trimmed, its runs of spaces
// made one, with commas between.
func canonicalValue(values []string) string {
	if len(values) == 1 && !strings.ContainsAny(values[0], " \t\r\n") {
		return values[0]
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
}
