package objectstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jobgate/presigner"
)

// assume requests a session with the AWS SDK, signed with c.
func (f *fixture) assume(c presigner.Credentials, seconds int32) (presigner.Credentials, error) {
	client := sts.New(sts.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(f.server.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})
	out, err := client.AssumeRole(f.t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/download"), RoleSessionName: aws.String("jobgate"), DurationSeconds: aws.Int32(seconds),
	})
	if err != nil {
		return presigner.Credentials{}, err
	}
	o := out.Credentials
	return presigner.Credentials{AccessKeyID: *o.AccessKeyId, SecretAccessKey: *o.SecretAccessKey, SessionToken: *o.SessionToken, Expires: *o.Expiration}, nil
}

// TestAssumeRole uses a session from AssumeRole until it expires, with the AWS SDK as client.
func TestAssumeRole(t *testing.T) {
	fx := newFixture(t)
	session, err := fx.assume(owner, 43200)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(session.Expires); left < 12*time.Hour-time.Minute || left > 12*time.Hour {
		t.Errorf("the session is valid for %v, want 12h", left)
	}
	url := fx.url(session, presigner.GET, "firmware", "v7.bin", "")
	if status, body, _ := fx.do("GET", url, ""); status != 200 || body != "0123456789" {
		t.Errorf("session's URL: %d %s", status, body)
	}
	chained, err := fx.assume(session, 3600)
	if err != nil || chained.AccessKeyID == session.AccessKeyID {
		t.Errorf("chained: %v %v", chained, err)
	}
	fx.skew.Store(int64(12*time.Hour + time.Minute))
	if status, body, _ := fx.do("GET", url, ""); status != 403 || !strings.Contains(body, "Request has expired") {
		t.Errorf("after the session: %d %s", status, body)
	}
}

func TestAssumeRoleFaults(t *testing.T) {
	fx := newFixture(t)
	f := func(c presigner.Credentials, seconds int32, want string) {
		t.Helper()
		if _, err := fx.assume(c, seconds); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f(owner, 43201, "ValidationError: The requested DurationSeconds exceeds")
	f(owner, 60, "ValidationError")
	f(presigner.Credentials{AccessKeyID: "AKIADEMO", SecretAccessKey: "wrong"}, 900, "SignatureDoesNotMatch")
	f(presigner.Credentials{AccessKeyID: "AKIAOTHER", SecretAccessKey: "wrong"}, 900, "InvalidAccessKeyId")
	f(presigner.Credentials{AccessKeyID: "AKIADEMO", SecretAccessKey: "s3cret", SessionToken: "x"}, 900, "InvalidToken")
	session, err := fx.assume(owner, 3600)
	if err != nil {
		t.Fatal(err)
	}
	f(session, 3601, "ValidationError")
	fx.skew.Store(int64(20 * time.Minute))
	f(owner, 900, "RequestTimeTooSkewed")
	fx.skew.Store(0)
	if status, body, _ := fx.do("POST", fx.server.URL+"/", "Action=AssumeRole"); status != 400 || !strings.Contains(body, "<Code>AuthorizationQueryParametersError</Code>") {
		t.Errorf("unsigned: %d %s", status, body)
	}
}

// TestHeaderSigned reads an object by a request that is signed in a header, as the gateway reads templates.
func TestHeaderSigned(t *testing.T) {
	fx := newFixture(t)
	f := func(path, region string, c aws.Credentials, wantStatus int, want string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fx.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		empty := sha256.Sum256(nil)
		hash := hex.EncodeToString(empty[:])
		r.Header.Set("X-Amz-Content-Sha256", hash)
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(context.Background(), c, r, hash, "s3", region, time.Now()); err != nil {
			t.Fatal(err)
		}
		header := make([]string, 0, 2*len(r.Header))
		for name := range r.Header {
			header = append(header, name, r.Header.Get(name))
		}
		if status, body, _ := fx.do("GET", fx.server.URL+path, "", header...); status != wantStatus || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %d %s", path, status, body, wantStatus, want)
		}
	}
	good := aws.Credentials{AccessKeyID: owner.AccessKeyID, SecretAccessKey: owner.SecretAccessKey}
	f("/firmware/v7.bin", "eu-west-1", good, 200, "0123456789")
	f("/firmware/odd/a%20b%2Bc%25.bin", "us-east-1", good, 200, "odd")
	f("/firmware/v7.bin?versionId=null", "us-east-1", good, 200, "0123456789")
	f("/firmware/v7.bin", "us-east-1", aws.Credentials{AccessKeyID: "AKIADEMO", SecretAccessKey: "x"}, 403, "SignatureDoesNotMatch")
}
