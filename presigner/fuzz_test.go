package presigner_test

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/presigner"
)

func FuzzAppendURL_AWSSDK(f *testing.F) {
	for _, v := range readVectors(f)[:30] {
		f.Add(v.Key, v.VersionID, v.SessionToken, int64(v.Expires), v.time(f).Unix(), v.Style == "virtual", v.Method == "PUT")
	}
	f.Fuzz(func(t *testing.T, key, version, token string, expires, unix int64, hostStyle, put bool) {
		at := time.Unix(unix, 0).UTC()
		if expires < 1 || expires > 604800 || unix < 0 || at.Year() > 9999 {
			return // out of SigV4's range, and refused: see TestAppendURLRefuses
		}
		c := presigner.Credentials{AccessKeyID: "AKID/EXAMPLE", SecretAccessKey: "secret", SessionToken: token}
		o := presigner.Object{Scheme: "https", Host: "s3.eu-west-1.amazonaws.com", Region: "eu-west-1", Bucket: "firmware", Key: key, VersionID: version}
		method := presigner.GET
		if hostStyle {
			o.Style, o.Host = presigner.HostStyle, "firmware."+o.Host
		}
		if put {
			method = presigner.PUT
		}
		if o.Validate() != nil {
			return // not a valid object, and refused: see TestObjectValidate
		}
		s, _ := presigner.NewSigner(c)
		got, err := s.URL(o, method, time.Duration(expires)*time.Second, at)
		if err != nil {
			t.Fatal(err)
		}
		target := o.Target()
		raw := target.Origin + target.Path
		if version != "" {
			raw += "?versionId=" + url.QueryEscape(version)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		want, err := sdkURL(signer, aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: token},
			method.String(), raw, "eu-west-1", strconv.FormatInt(expires, 10), at)
		if err != nil {
			t.Fatal(err)
		}
		sameURL(t, got, want)
		verified, err := presigner.Verify(presigner.Verification{
			Method: method.String(), Host: o.Host, RequestURI: strings.TrimPrefix(got, target.Origin), Time: at,
			Lookup: func(string) (presigner.Credentials, bool) { return c, true },
		})
		if err != nil || !strings.HasSuffix(verified.Path, "/"+key) || verified.VersionID != version {
			t.Fatalf("verify: %+v, %v", verified, err)
		}
	})
}

// A request signed by the SDK verifies, and no longer does if a byte of its body changes.
func FuzzVerifyHeader_AWSSDK(f *testing.F) {
	f.Add("t:1", "$next", "a b", `{"status":"SUCCEEDED"}`)
	f.Add("ü/%", "j", "", "")
	f.Add("..", "", "&=+;", "\x00")
	f.Fuzz(func(t *testing.T, thing, job, value, body string) {
		address := "http://localhost:8082/things/" + url.PathEscape(thing) + "/jobs/" + url.PathEscape(job) + "?q=" + url.QueryEscape(value)
		v := headerRequest{method: "POST", url: address, body: body}.sign(t, headerTime)
		if _, err := presigner.VerifyHeader(v); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		v.Body = append(v.Body, 'x')
		if _, err := presigner.VerifyHeader(v); !errors.Is(err, presigner.ErrSignature) {
			t.Fatalf("%s with another body: %v", address, err)
		}
	})
}

// Whatever the header holds, VerifyHeader returns an error and does not panic.
func FuzzVerifyHeader_Garbage(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20261123/r/s/aws4_request, SignedHeaders=host, Signature=00", "20261123T235800Z", "/?a=b")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;;host", "2026", "%")
	f.Fuzz(func(t *testing.T, authorization, date, uri string) {
		_, err := presigner.VerifyHeader(presigner.HeaderVerification{
			Method: []byte("GET"), RequestURI: []byte(uri), Time: headerTime,
			Values: func(name string) [][]byte {
				return map[string][][]byte{"authorization": {[]byte(authorization)}, "x-amz-date": {[]byte(date)}}[name]
			},
			Lookup: func(string) (presigner.Credentials, bool) {
				return presigner.Credentials{SecretAccessKey: "secret"}, true
			},
		})
		if err == nil {
			t.Fatalf("accepted %q", authorization)
		}
	})
}
