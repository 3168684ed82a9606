package objectstore

import (
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jobgate/presigner"
)

// authorize says which object a correctly signed request names; presigned in the query or signed in a header.
func (s *Store) authorize(r *http.Request) (object, error) {
	if r.Header.Get("Authorization") != "" {
		if _, err := s.verifyHeader(r, "s3", r.Header.Get("X-Amz-Content-Sha256")); err != nil {
			return object{}, err
		}
		return parseObject(r.Host, r.URL.Path, r.URL.Query().Get("versionId")), nil
	}
	if !r.URL.Query().Has("X-Amz-Signature") {
		return object{}, errDenied
	}
	v, err := presigner.Verify(presigner.Verification{
		Method: r.Method, Host: r.Host, RequestURI: r.RequestURI, Header: r.Header.Get, Time: s.now(), Lookup: s.credentials,
	})
	if err != nil {
		return object{}, presignedError(err)
	}
	return parseObject(r.Host, v.Path, v.VersionID), nil
}

// presignedError is S3's answer to what presigner.Verify found.
func presignedError(err error) error {
	switch {
	case errors.Is(err, presigner.ErrSignature):
		return errSignature
	case errors.Is(err, presigner.ErrExpired):
		return errExpired
	case errors.Is(err, presigner.ErrNotYetValid):
		return errNotYetValid
	case errors.Is(err, presigner.ErrAccessKey):
		return errAccessKey
	case errors.Is(err, presigner.ErrToken):
		return errToken
	}
	return errMalformed
}

// authorization is an Authorization header, taken apart (SigV4 §"Create a signed request").
type authorization struct {
	accessKeyID, date, region, service string
	signedHeaders                      []string
	signature                          string
}

func parseAuthorization(header string) (authorization, bool) {
	rest, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if !ok || len(scope) != 5 || scope[4] != "aws4_request" || fields["SignedHeaders"] == "" {
		return authorization{}, false
	}
	return authorization{scope[0], scope[1], scope[2], scope[3], strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]}, true
}

// verifyHeader checks a request signed in its Authorization header for service, whose body has the hash payload.
func (s *Store) verifyHeader(r *http.Request, service, payload string) (presigner.Credentials, error) {
	a, ok := parseAuthorization(r.Header.Get("Authorization"))
	amzDate := r.Header.Get("X-Amz-Date")
	signedAt, err := time.Parse("20060102T150405Z", amzDate)
	if !ok || err != nil || a.service != service || signedAt.Format("20060102") != a.date {
		return presigner.Credentials{}, errMalformed
	}
	c, known := s.credentials(a.accessKeyID)
	if !known {
		return presigner.Credentials{}, errAccessKey
	}
	if subtle.ConstantTimeCompare([]byte(c.SessionToken), []byte(r.Header.Get("X-Amz-Security-Token"))) != 1 {
		return presigner.Credentials{}, errToken
	}
	want := presigner.Sign(canonicalRequest(r, a.signedHeaders, payload), amzDate, c.SecretAccessKey, a.date, a.region, a.service)
	if !hmac.Equal([]byte(want), []byte(a.signature)) {
		return presigner.Credentials{}, errSignature
	}
	now := s.now()
	if now.Sub(signedAt).Abs() > presigner.MaxSkew {
		return presigner.Credentials{}, errSkew
	}
	if !c.Expires.IsZero() && now.After(c.Expires) {
		return presigner.Credentials{}, errExpiredToken
	}
	return c, nil
}

// canonicalRequest is the text that a header signature covers. The path is escaped once, as S3's is; STS's is "/".
func canonicalRequest(r *http.Request, signedHeaders []string, payload string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + string(presigner.AppendEscapedKey(nil, r.URL.Path)) + "\n" + canonicalQuery(r.URL) + "\n")
	for _, name := range signedHeaders {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + payload)
	return b.String()
}

// canonicalQuery sorts and escapes the query: url.Values does, but for the space, which SigV4 writes %20.
func canonicalQuery(u *url.URL) string {
	return strings.ReplaceAll(u.Query().Encode(), "+", "%20")
}
