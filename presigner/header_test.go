package presigner_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/presigner"
)

// headerExcludes lists the cases of the AWS signing suite that VerifyHeader must refuse,
// and why.
var headerExcludes = map[string]string{
	"get-relative-normalized":            "a path is never normalised",
	"get-relative-relative-normalized":   "a path is never normalised",
	"get-slash-dot-slash-normalized":     "a path is never normalised",
	"get-slash-normalized":               "a path is never normalised",
	"get-slash-pointless-dot-normalized": "a path is never normalised",
	"get-slashes-normalized":             "a path is never normalised",
}

func TestVerifyHeaderAWSSuite(t *testing.T) {
	forEachSuiteCase(t, headerExcludes, verifyHeaderCase)
}

func verifyHeaderCase(t *testing.T, c suiteCase) error {
	signed := bytes.TrimLeft(c.read(t, "header-signed-request.txt"), "\n")
	line, _, _ := strings.Cut(string(signed), "\n")
	method, rest, _ := strings.Cut(line, " ")
	uri := rest[:strings.LastIndex(rest, " ")] // paths of the suite may contain spaces
	header, body := suiteHeader(t, signed)
	_, err := presigner.VerifyHeader(presigner.HeaderVerification{
		Method: []byte(method), RequestURI: []byte(uri), Body: body, Time: c.Timestamp, Lookup: c.lookup,
		Values: func(name string) [][]byte { return values(header[http.CanonicalHeaderKey(name)]) },
	})
	return err
}

func values(list []string) (values [][]byte) {
	for _, v := range list {
		values = append(values, []byte(v))
	}
	return values
}

// headerRequest is a request that the SDK signs for service iot.
type headerRequest struct {
	method, url, body, token string
	stateHash                bool // send X-Amz-Content-Sha256
}

// sign signs r with the SDK's signer and returns it as a server receives it.
func (r headerRequest) sign(tb testing.TB, at time.Time) presigner.HeaderVerification {
	req, err := http.NewRequest(r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256([]byte(r.body))
	hash := hex.EncodeToString(digest[:])
	if r.stateHash {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	req.Header.Set("Content-Type", "application/json")
	credentials := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: r.token}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, req, hash, "iot", "eu-west-1", at); err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Host", req.URL.Host)
	req.Header.Set("Content-Length", "0")
	if r.body != "" {
		req.Header.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	all := map[string][][]byte{}
	for name, list := range req.Header {
		all[strings.ToLower(name)] = values(list)
	}
	return presigner.HeaderVerification{
		Method: []byte(r.method), RequestURI: []byte(req.URL.RequestURI()), Body: []byte(r.body), Time: at,
		Values: func(name string) [][]byte { return all[name] },
		Lookup: func(id string) (presigner.Credentials, bool) {
			return presigner.Credentials{AccessKeyID: id, SecretAccessKey: "secret", SessionToken: r.token}, id == "AKIDEXAMPLE"
		},
	}
}

var headerTime = time.Date(2026, 11, 23, 23, 58, 0, 0, time.UTC)

func TestVerifyHeaderSDK(t *testing.T) {
	var keys presigner.SigningKeys
	f := func(r headerRequest) {
		t.Helper()
		for _, keys := range []*presigner.SigningKeys{nil, &keys, &keys} { // derived, derived and kept, kept
			v := r.sign(t, headerTime)
			v.Keys = keys
			got, err := presigner.VerifyHeader(v)
			if err != nil {
				t.Errorf("%s %s: %v", r.method, r.url, err)
			}
			want := presigner.VerifiedHeader{AccessKeyID: "AKIDEXAMPLE", Region: "eu-west-1", Service: "iot", SignedAt: headerTime}
			if got != want {
				t.Errorf("%s %s: got %+v", r.method, r.url, got)
			}
		}
	}
	f(headerRequest{method: "GET", url: "http://localhost:8082/jobs"})
	f(headerRequest{method: "GET", url: "http://localhost:8082/jobs?status=IN_PROGRESS&maxResults=3"})
	f(headerRequest{method: "GET", url: "http://localhost:8082/things/t%3A1/jobs/%24next?includeJobDocument=false"})
	f(headerRequest{method: "PUT", url: "http://localhost:8082/things/t%3A1/jobs/$next", body: "{}"})
	f(headerRequest{method: "PUT", url: "http://localhost:8082/jobs/j", body: `{"targets":["x"]}`, stateHash: true})
	f(headerRequest{method: "GET", url: "http://localhost:8082/tags?resourceArn=arn%3Aaws%3Aiot%3Aeu-west-1%3A1%3Ajob%2Fj%20x", token: "a/session+token=="})
}

func TestVerifyHeaderRefuses(t *testing.T) {
	base := headerRequest{method: "PUT", url: "http://localhost:8082/jobs/j?x=1", body: `{"targets":[]}`, stateHash: true, token: "token"}
	var keys presigner.SigningKeys
	right := base.sign(t, headerTime)
	right.Keys = &keys
	if _, err := presigner.VerifyHeader(right); err != nil {
		t.Fatal(err)
	}
	f := func(what string, want error, change func(*presigner.HeaderVerification)) {
		t.Helper()
		for _, keys := range []*presigner.SigningKeys{nil, &keys} {
			v := base.sign(t, headerTime)
			v.Keys = keys
			change(&v)
			if _, err := presigner.VerifyHeader(v); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
			}
		}
	}
	with := func(v *presigner.HeaderVerification, name string, edit func([]string) []string) {
		before := v.Values
		v.Values = func(n string) [][]byte {
			if n == name {
				var list []string
				for _, value := range before(n) {
					list = append(list, string(value))
				}
				return values(edit(list))
			}
			return before(n)
		}
	}
	replace := func(name, old, by string) func(*presigner.HeaderVerification) {
		return func(v *presigner.HeaderVerification) {
			with(v, name, func(list []string) []string { return []string{strings.Replace(list[0], old, by, 1)} })
		}
	}
	f("method", presigner.ErrSignature, func(v *presigner.HeaderVerification) { v.Method = []byte("DELETE") })
	f("path", presigner.ErrSignature, func(v *presigner.HeaderVerification) { v.RequestURI = []byte("/jobs/k?x=1") })
	f("path encoded otherwise", presigner.ErrSignature, func(v *presigner.HeaderVerification) { v.RequestURI = []byte("/jobs/%6a?x=1") })
	f("query", presigner.ErrSignature, func(v *presigner.HeaderVerification) { v.RequestURI = []byte("/jobs/j?x=2") })
	f("query not encoded", presigner.ErrMalformed, func(v *presigner.HeaderVerification) { v.RequestURI = []byte("/jobs/j?x=%zz") })
	f("body", presigner.ErrSignature, func(v *presigner.HeaderVerification) { v.Body = []byte(`{"targets":[1]}`) })
	f("host", presigner.ErrSignature, replace("host", "localhost", "elsewhere"))
	f("signature", presigner.ErrSignature, replace("authorization", "Signature=", "Signature=0"))
	f("region", presigner.ErrSignature, replace("authorization", "eu-west-1", "eu-west-2"))
	f("service", presigner.ErrSignature, replace("authorization", "/iot/", "/iot-jobs-data/"))
	f("stated hash", presigner.ErrSignature, func(v *presigner.HeaderVerification) {
		with(v, "x-amz-content-sha256", func([]string) []string { return []string{"UNSIGNED-PAYLOAD"} })
	})
	f("access key", presigner.ErrAccessKey, replace("authorization", "AKIDEXAMPLE", "AKIDOTHER"))
	f("token", presigner.ErrToken, replace("x-amz-security-token", "token", "t0ken"))
	f("no authorization", presigner.ErrUnsigned, func(v *presigner.HeaderVerification) {
		with(v, "authorization", func([]string) []string { return nil })
	})
	f("another scheme", presigner.ErrUnsigned, replace("authorization", "AWS4-HMAC-SHA256", "Bearer"))
	f("two authorizations", presigner.ErrMalformed, func(v *presigner.HeaderVerification) {
		with(v, "authorization", func(list []string) []string { return append(list, list...) })
	})
	f("scope", presigner.ErrMalformed, replace("authorization", "/aws4_request", ""))
	f("host not signed", presigner.ErrMalformed, replace("authorization", ";host;", ";"))
	f("no signature", presigner.ErrMalformed, replace("authorization", "Signature=", "Sign="))
	f("no date", presigner.ErrMalformed, func(v *presigner.HeaderVerification) {
		with(v, "x-amz-date", func([]string) []string { return nil })
	})
	f("date of another day", presigner.ErrMalformed, replace("x-amz-date", "20261123", "20261124"))
	f("expired", presigner.ErrExpired, func(v *presigner.HeaderVerification) { v.Time = headerTime.Add(5*time.Minute + time.Second) })
	f("not yet valid", presigner.ErrNotYetValid, func(v *presigner.HeaderVerification) { v.Time = headerTime.Add(-5*time.Minute - time.Second) })
	f("session ended", presigner.ErrExpired, func(v *presigner.HeaderVerification) {
		v.Lookup = func(string) (presigner.Credentials, bool) {
			return presigner.Credentials{SecretAccessKey: "secret", SessionToken: "token", Expires: headerTime.Add(-time.Second)}, true
		}
	})
	f("five minutes late", nil, func(v *presigner.HeaderVerification) { v.Time = headerTime.Add(5 * time.Minute) })
	f("five minutes early", nil, func(v *presigner.HeaderVerification) { v.Time = headerTime.Add(-5 * time.Minute) })
}

func BenchmarkVerifyHeader(b *testing.B) {
	v := headerRequest{method: "GET", url: "http://localhost:8082/things/t%3A1/jobs/%24next"}.sign(b, headerTime)
	v.Keys = new(presigner.SigningKeys)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := presigner.VerifyHeader(v); err != nil {
			b.Fatal(err)
		}
	}
}
