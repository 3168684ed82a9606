package role

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// The own credentials of every test, and the roles that most use.
const (
	ownKey    = "AKIDOWN"
	ownSecret = "own-secret-key"
	ownToken  = "own-session-token"
)

func arn(name string) string { return "arn:aws:iam::123456789012:role/" + name }

// fakeSTS is an STS that runs in a synctest bubble: it answers the SDK's HTTP requests.
type fakeSTS struct {
	// Its behaviour; changed by set, before the affected requests.
	delay    time.Duration
	skew     time.Duration             // of its clock
	longest  time.Duration             // longer DurationSeconds are refused, with message
	message  string                    // of that refusal
	fail     func(arn string) error    // transport errors
	refuse   func(arn string) *refusal // HTTP errors
	lifetime time.Duration             // of sessions; zero: as requested
	age      string                    // the Age header, if any

	mu    sync.Mutex
	calls []call
	busy  map[string]bool
	twice bool // two calls in flight for one role
}

// refusal is an error answer.
type refusal struct {
	status        int
	code, message string
}

// call is one AssumeRole that the fake received.
type call struct {
	at       time.Time
	arn      string
	seconds  int
	signedBy string // access key id
	form     url.Values
}

func (f *fakeSTS) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// Do is sts.HTTPClient.
func (f *fakeSTS) Do(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	form, _ := url.ParseQuery(string(body))
	seconds, _ := strconv.Atoi(form.Get("DurationSeconds"))
	_, scope, _ := strings.Cut(req.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(scope, "/")
	c := call{at: time.Now(), arn: form.Get("RoleArn"), seconds: seconds, signedBy: key, form: form}

	f.mu.Lock()
	f.calls = append(f.calls, c)
	n, delay := len(f.calls), f.delay
	if f.busy == nil {
		f.busy = map[string]bool{}
	}
	f.twice = f.twice || f.busy[c.arn]
	f.busy[c.arn] = true
	f.mu.Unlock()
	defer f.set(func() { f.busy[c.arn] = false })
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(c.arn); err != nil {
			return nil, err
		}
	}
	if no := f.check(req, c); no != nil {
		return f.answer(no.status, fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, no.code, no.message)), nil
	}
	life := f.lifetime
	if life == 0 {
		life = time.Duration(seconds) * time.Second
	}
	return f.answer(200, fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>secret-%d</SecretAccessKey><SessionToken>token-%d</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		n, n, n, time.Now().Add(f.skew+life).UTC().Format(time.RFC3339))), nil
}

// check returns AWS's refusal of an invalid call.
func (f *fakeSTS) check(req *http.Request, c call) *refusal {
	now := time.Now().Add(f.skew)
	signed, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
	if err != nil || signed.Sub(now).Abs() > 5*time.Minute {
		return &refusal{403, "SignatureDoesNotMatch", "Signature expired: " + signed.String() + " is now earlier than …"}
	}
	if f.refuse != nil {
		if no := f.refuse(c.arn); no != nil {
			return no
		}
	}
	if f.longest > 0 && time.Duration(c.seconds)*time.Second > f.longest {
		return &refusal{400, "ValidationError", f.message}
	}
	return nil
}

func (f *fakeSTS) answer(status int, body string) *http.Response {
	header := http.Header{"Date": {time.Now().Add(f.skew).UTC().Format(http.TimeFormat)}, "Content-Type": {"text/xml"}}
	if f.age != "" {
		header.Set("Age", f.age)
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// seen returns the calls for a role's ARN, "" for all.
func (f *fakeSTS) seen(arn string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []call
	for _, c := range f.calls {
		if arn == "" || c.arn == arn {
			out = append(out, c)
		}
	}
	return out
}

var errDown = errors.New("dial tcp 192.0.2.1:443: connect: connection refused")

// down makes every call fail until the returned function is called.
func (f *fakeSTS) down() (up func()) {
	f.set(func() { f.fail = func(string) error { return errDown } })
	return func() { f.set(func() { f.fail = nil }) }
}

// options returns Options with f as STS and static own credentials.
func (f *fakeSTS) options(roles ...Config) Options {
	return Options{
		AWS: aws.Config{
			Region: "us-east-1", HTTPClient: f, BaseEndpoint: aws.String("https://sts.example"),
			Credentials: credentials.NewStaticCredentialsProvider(ownKey, ownSecret, ownToken),
		},
		Roles: roles,
	}
}

// start creates a Set and starts it; it is closed at the end of the test, as synctest requires.
func start(t *testing.T, o Options) *Set {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(context.Background())
	t.Cleanup(s.Close)
	return s
}

func mustRole(t *testing.T, s *Set, name string) *Role {
	t.Helper()
	r, ok := s.Role(name)
	if !ok {
		t.Fatalf("the Set has no role %q", name)
	}
	return r
}

func mustWait(t *testing.T, r *Role) *Session {
	t.Helper()
	sess, err := r.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sess
}

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
