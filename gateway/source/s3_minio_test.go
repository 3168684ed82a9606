package source_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jobgate/gateway/source"
	"jobgate/presigner/miniotest"
)

// minioSource returns a source of a real S3 server with the root's credentials.
func minioSource(t *testing.T, change ...func(*source.S3Options)) (*source.S3, *miniotest.Server) {
	t.Helper()
	m := miniotest.Start(t)
	o := source.S3Options{
		Region: miniotest.Region, Endpoint: m.URL,
		Credentials: func(context.Context) (aws.Credentials, error) { return m.Root, nil },
	}
	for _, f := range change {
		f(&o)
	}
	s, err := source.NewS3(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, m
}

func TestS3WithMinIO(t *testing.T) {
	var dates int
	s, m := minioSource(t, func(o *source.S3Options) {
		o.OnDate = func(serverDate, receivedAt time.Time, _ time.Duration) {
			dates++
			if d := receivedAt.Sub(serverDate).Abs(); d > time.Minute {
				t.Errorf("unexpected date: %v away", d)
			}
		}
	})
	const bucket = "source-documents"
	m.CreateBucket(t, bucket)
	p, err := source.ParsePattern("s3://"+bucket+"/v1/{jobId}.json", []string{"jobId"})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{
		"job-1", "a b", "plus+plus", "50%", "%20", "(1)", "kanji-漢字", "=@&;,'!*~$:", "{x}", "a..b", "...", "-", "'\"", "?v=1", "#1", "ü",
	} {
		body := fmt.Sprintf(`{"n":%d}`, i)
		m.PutObject(t, bucket, "v1/"+id+".json", []byte(body))
		u, err := p.AppendURL(nil, [][]byte{[]byte(id)})
		if err != nil {
			t.Errorf("cannot expand %q: %v", id, err)
			continue
		}
		doc, err := s.Load(t.Context(), source.Request{URL: string(u)})
		if err != nil || string(doc.Body) != body || doc.ETag == "" || doc.LastModified == "" {
			t.Errorf("unexpected document %q: %+v, %v", u, doc, err)
		}
		again, err := s.Load(t.Context(), source.Request{URL: string(u), ETag: doc.ETag})
		if err != nil || !again.NotModified || again.ETag != doc.ETag {
			t.Errorf("unexpected revalidation of %q: %+v, %v", u, again, err)
		}
		m.PutObject(t, bucket, "v1/"+id+".json", []byte("[]"))
		again, err = s.Load(t.Context(), source.Request{URL: string(u), ETag: doc.ETag})
		if err != nil || again.NotModified || string(again.Body) != "[]" {
			t.Errorf("unexpected revalidation of %q: %+v, %v", u, again, err)
		}
	}
	if dates != 48 {
		t.Errorf("unexpected number of dates: %d, want 48", dates)
	}
}

func TestS3ErrorsWithMinIO(t *testing.T) {
	s, m := minioSource(t)
	const bucket = "source-errors"
	m.CreateBucket(t, bucket)
	m.PutObject(t, bucket, "big", []byte(strings.Repeat("x", 1001)))
	m.PutObject(t, bucket, "here", []byte("{}"))
	f := func(s *source.S3, u string, class error) {
		t.Helper()
		_, err := s.Load(t.Context(), source.Request{URL: u, Limit: 1000})
		if !errors.Is(err, class) {
			t.Errorf("unexpected error of %q: %v; want %v", u, err, class)
			return
		}
		t.Logf("%v", err)
		if strings.Contains(err.Error(), m.Root.SecretAccessKey) || strings.Contains(err.Error(), "Signature=") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	f(s, "s3://"+bucket+"/nobody", source.ErrNotFound)
	f(s, "s3://nobody-bucket/nobody", source.ErrNotFound)
	f(s, "s3://"+bucket+"/big", source.ErrTooLarge)

	wrong := func(change func(*aws.Credentials)) *source.S3 {
		c := m.Root
		change(&c)
		s, _ := minioSource(t, func(o *source.S3Options) {
			o.Credentials = func(context.Context) (aws.Credentials, error) { return c, nil }
		})
		return s
	}
	f(wrong(func(c *aws.Credentials) { c.SecretAccessKey = "wrong" }), "s3://"+bucket+"/here", source.ErrUnavailable)
	f(wrong(func(c *aws.Credentials) { c.AccessKeyID = "nobody" }), "s3://"+bucket+"/here", source.ErrUnavailable)
	f(wrong(func(c *aws.Credentials) { c.SessionToken = "broken" }), "s3://"+bucket+"/here", source.ErrUnavailable)
	slow, _ := minioSource(t, func(o *source.S3Options) { o.Skew = func() time.Duration { return -time.Hour } })
	f(slow, "s3://"+bucket+"/here", source.ErrUnavailable)

	// A session that may read "here" and nothing else.
	session, _ := minioSource(t, func(o *source.S3Options) {
		o.Credentials = assume(t, m, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::`+bucket+`/here"}]}`)
	})
	if doc, err := session.Load(t.Context(), source.Request{URL: "s3://" + bucket + "/here"}); err != nil || string(doc.Body) != "{}" {
		t.Errorf("unexpected document: %+v, %v", doc, err)
	}
	f(session, "s3://"+bucket+"/big", source.ErrForbidden)
	f(session, "s3://"+bucket+"/nobody", source.ErrForbidden)
}

// assume returns the credentials of a role session with the given policy.
func assume(t *testing.T, m *miniotest.Server, policy string) func(context.Context) (aws.Credentials, error) {
	t.Helper()
	root := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return m.Root, nil })
	client := sts.New(sts.Options{Region: miniotest.Region, BaseEndpoint: &m.URL, Credentials: root})
	out, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/reader"), RoleSessionName: aws.String("source"), Policy: &policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
			SessionToken: *out.Credentials.SessionToken,
		}, nil
	}
}
