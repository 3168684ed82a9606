package presigner_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"jobgate/presigner"
)

// vector is one line of presign.json, generated with botocore's S3 query signer.
type vector struct {
	Method, Key, Bucket, Style, URL, Region, Date, Want string
	VersionID                                           string `json:"version_id"`
	AccessKey                                           string `json:"access_key"`
	SecretKey                                           string `json:"secret_key"`
	SessionToken                                        string `json:"session_token"`
	Expires                                             int
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/presign.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 150 {
		t.Fatalf("got %d vectors, want 150", len(vectors))
	}
	return vectors
}

func (v vector) credentials() presigner.Credentials {
	return presigner.Credentials{AccessKeyID: v.AccessKey, SecretAccessKey: v.SecretKey, SessionToken: v.SessionToken}
}

func (v vector) object(t testing.TB) presigner.Object {
	u, err := url.Parse(v.Want)
	if err != nil {
		t.Fatal(err)
	}
	style := presigner.PathStyle
	if v.Style == "virtual" {
		style = presigner.HostStyle
	}
	return presigner.Object{
		Scheme: u.Scheme, Host: u.Host, Region: v.Region, Bucket: v.Bucket,
		Style: style, Key: v.Key, VersionID: v.VersionID,
	}
}

func (v vector) method() presigner.Method {
	if v.Method == "PUT" {
		return presigner.PUT
	}
	return presigner.GET
}

func (v vector) time(t testing.TB) time.Time {
	at, err := time.Parse("20060102T150405Z", v.Date)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestBotocoreVectors(t *testing.T) {
	for i, v := range readVectors(t) {
		t.Run(fmt.Sprintf("%03d", i), func(t *testing.T) {
			s, err := presigner.NewSigner(v.credentials())
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.URL(v.object(t), v.method(), time.Duration(v.Expires)*time.Second, v.time(t))
			if err != nil {
				t.Fatal(err)
			}
			sameURL(t, got, v.Want)
		})
	}
}

// sameURL compares host, escaped path and the query as a set, because botocore writes
// the query in another order than it signs it.
func sameURL(t *testing.T, got, want string) {
	t.Helper()
	g, err1 := url.Parse(got)
	w, err2 := url.Parse(want)
	if err1 != nil || err2 != nil {
		t.Fatalf("unparsable: %v, %v", err1, err2)
	}
	gotPath, _, _ := strings.Cut(strings.TrimPrefix(got, "https://"), "?")
	wantPath, _, _ := strings.Cut(strings.TrimPrefix(want, "https://"), "?")
	if gotPath != wantPath {
		t.Errorf("host and path:\n got %s\nwant %s", gotPath, wantPath)
	}
	for name, values := range w.Query() {
		if g.Query().Get(name) != values[0] {
			t.Errorf("%s:\n got %s\nwant %s", name, g.Query().Get(name), values[0])
		}
	}
	if len(g.Query()) != len(w.Query()) {
		t.Errorf("query has %d names, want %d", len(g.Query()), len(w.Query()))
	}
}

func TestVerifyBotocoreVectors(t *testing.T) {
	for i, v := range readVectors(t) {
		u, _ := url.Parse(v.Want)
		at := v.time(t)
		verify := func(uri string, now time.Time) (presigner.Verified, error) {
			return presigner.Verify(presigner.Verification{
				Method: v.Method, Host: u.Host, RequestURI: uri, Time: now,
				Lookup: func(id string) (presigner.Credentials, bool) { return v.credentials(), id == v.AccessKey },
			})
		}
		uri := strings.TrimPrefix(v.Want, "https://"+u.Host)
		got, err := verify(uri, at.Add(time.Second))
		if err != nil {
			t.Errorf("%03d: %v", i, err)
			continue
		}
		if !strings.HasSuffix(got.Path, "/"+v.Key) || got.VersionID != v.VersionID || got.Region != v.Region {
			t.Errorf("%03d: verified %+v, want key %q version %q", i, got, v.Key, v.VersionID)
		}
		if _, err := verify(uri, at.Add(time.Duration(v.Expires+1)*time.Second)); !errors.Is(err, presigner.ErrExpired) {
			t.Errorf("%03d: after its end: %v, want ErrExpired", i, err)
		}
		if _, err := verify(uri, at.Add(-time.Hour)); !errors.Is(err, presigner.ErrNotYetValid) {
			t.Errorf("%03d: an hour early: %v, want ErrNotYetValid", i, err)
		}
		flipped := strings.Replace(uri, "X-Amz-Expires=", "X-Amz-Expires=1", 1)
		if _, err := verify(flipped, at.Add(time.Second)); err == nil {
			t.Errorf("%03d: a changed lifetime was accepted", i)
		}
	}
}

// published is the example of AWS's "Authenticating Requests: Using Query Parameters".
var published = struct {
	credentials presigner.Credentials
	object      presigner.Object
	at          time.Time
	want        string
}{
	presigner.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
	presigner.Object{Scheme: "https", Host: "examplebucket.s3.amazonaws.com", Region: "us-east-1", Bucket: "examplebucket", Style: presigner.HostStyle, Key: "test.txt"},
	time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
	"https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
}

func ExampleSigner_URL() {
	signer, err := presigner.NewSigner(published.credentials)
	if err != nil {
		fmt.Println(err)
		return
	}
	url, err := signer.URL(published.object, presigner.GET, 24*time.Hour, published.at)
	fmt.Println(url[len(url)-64:], err)
	// Output: aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 <nil>
}

func TestPublishedExample(t *testing.T) {
	s, _ := presigner.NewSigner(published.credentials)
	target := published.object.Target()
	r := presigner.Request{Target: &target, Expires: 24 * time.Hour, Time: published.at}
	got, err := s.AppendURL([]byte("foo"), &r)
	if err != nil || string(got) != "foo"+published.want {
		t.Fatalf("got %s, %v\nwant foo%s", got, err, published.want)
	}
	// Sub-second parts of both clocks change nothing.
	r.Time, r.Expires = r.Time.Add(999*time.Millisecond), r.Expires+time.Millisecond
	if again, err := s.AppendURL(nil, &r); err != nil || string(again) != published.want {
		t.Fatalf("got %s, %v", again, err)
	}
}

func TestAppendURLRefuses(t *testing.T) {
	s, _ := presigner.NewSigner(published.credentials)
	target := published.object.Target()
	f := func(want error, r presigner.Request) {
		t.Helper()
		r.Target = &target
		got, err := s.AppendURL([]byte("foo"), &r)
		if !errors.Is(err, want) || string(got) != "foo" {
			t.Errorf("got %q, %v, want foo and %v", got, err, want)
		}
	}
	f(presigner.ErrExpires, presigner.Request{Time: published.at})
	f(presigner.ErrExpires, presigner.Request{Time: published.at, Expires: time.Second - 1})
	f(presigner.ErrExpires, presigner.Request{Time: published.at, Expires: 7*24*time.Hour + 1})
	f(presigner.ErrExpires, presigner.Request{Time: published.at, Expires: -time.Hour})
	f(presigner.ErrTime, presigner.Request{Time: time.Unix(-1, 0), Expires: time.Hour})
	f(presigner.ErrTime, presigner.Request{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Expires: time.Hour})
}

func TestObjectValidate(t *testing.T) {
	f := func(want string, change func(*presigner.Object)) {
		t.Helper()
		o := published.object
		change(&o)
		if err := o.Validate(); !errors.Is(err, presigner.ErrObject) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrObject with %q", err, want)
		}
	}
	f(`"ftp"`, func(o *presigner.Object) { o.Scheme = "ftp" })
	f(`"a/b"`, func(o *presigner.Object) { o.Host = "a/b" })
	f(`"u@h"`, func(o *presigner.Object) { o.Host = "u@h" })
	f("region", func(o *presigner.Object) { o.Region = "" })
	f("bucket", func(o *presigner.Object) { o.Bucket = "" })
	f("key is empty", func(o *presigner.Object) { o.Key = "" })
	f("1025 bytes", func(o *presigner.Object) { o.Key = strings.Repeat("k", 1025) })
}

func TestMidnightRollover(t *testing.T) {
	s, _ := presigner.NewSigner(published.credentials)
	midnight := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	// Back and forth across midnight, like the start of a quantum and the clock.
	for _, d := range []time.Duration{0, time.Second, 0, 2 * time.Second, -24 * time.Hour, time.Second} {
		at := midnight.Add(d)
		got, err := s.URL(published.object, presigner.GET, time.Hour, at)
		if err != nil {
			t.Fatal(err)
		}
		fresh, _ := presigner.NewSigner(published.credentials)
		if want, _ := fresh.URL(published.object, presigner.GET, time.Hour, at); got != want {
			t.Errorf("at %v: got %s, want %s", at, got, want)
		}
		if !strings.Contains(got, at.Format("20060102T150405Z")) || !strings.Contains(got, "%2F"+at.Format("20060102")+"%2F") {
			t.Errorf("at %v: scope and date disagree in %s", at, got)
		}
	}
}

func TestManyRegionsAndGoroutines(t *testing.T) {
	s, _ := presigner.NewSigner(published.credentials)
	done := make(chan error)
	for g := range 8 {
		go func() {
			for i := range 300 {
				o := published.object
				o.Region = fmt.Sprintf("region-%d", (i*7+g)%100) // more than a Signer keeps
				fresh, _ := presigner.NewSigner(published.credentials)
				got, err1 := s.URL(o, presigner.GET, time.Hour, published.at)
				want, err2 := fresh.URL(o, presigner.GET, time.Hour, published.at)
				if got != want {
					err1 = errors.Join(err1, err2, fmt.Errorf("got %s, want %s", got, want))
				}
				if err1 != nil {
					done <- err1
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestNewSignerRefuses(t *testing.T) {
	for _, c := range []presigner.Credentials{{}, {AccessKeyID: "AKIA"}, {SecretAccessKey: "s"}} {
		if _, err := presigner.NewSigner(c); !errors.Is(err, presigner.ErrCredentials) {
			t.Errorf("%v: got %v, want ErrCredentials", c, err)
		}
	}
}
