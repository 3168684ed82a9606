package bench

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/bench/report"
	"jobgate/presigner"
)

func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("AKIAID SECRETKEY TOKEN MORE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readKeys(file)
	if err == nil || strings.Contains(err.Error(), "SECRETKEY") || strings.Contains(err.Error(), "AKIAID") {
		t.Errorf("the error is %v, want one without the keys", err)
	}
}

// bucket is an object store with one object that checks signatures with presigner.Verify.
func bucket(t *testing.T, c presigner.Credentials) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := presigner.Verify(presigner.Verification{
			Method: r.Method, Host: r.Host, RequestURI: r.RequestURI, Time: time.Now(),
			Lookup: func(id string) (presigner.Credentials, bool) { return c, id == c.AccessKeyID },
		})
		switch {
		case err != nil:
			w.WriteHeader(http.StatusForbidden)
		case r.Header.Get("Range") != "bytes=0-0" || r.URL.Path != "/b/a key/../x":
			w.WriteHeader(http.StatusBadRequest)
		default:
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write([]byte{1}) // a failed write would fail the verification
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestVerify(t *testing.T) {
	t.Parallel()
	c := presigner.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SessionToken: "session/token+"}
	host := bucket(t, c)
	signer, err := presigner.NewSigner(c)
	if err != nil {
		t.Fatal(err)
	}
	url := func(m presigner.Method) string {
		o := presigner.Object{Scheme: "http", Host: host, Region: "us-east-1", Bucket: "b", Style: presigner.PathStyle, Key: "a key/../x"}
		u, err := signer.URL(o, m, time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	flip := func(u string) string {
		last := u[len(u)-1]
		return u[:len(u)-1] + string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", last)+1)%16])
	}
	document := func(urls ...string) string {
		inner := `{"urls":["` + strings.Join(urls, `","`) + `"]}`
		b, err := json.Marshal(inner)
		if err != nil {
			t.Fatal(err)
		}
		return `{"jobDocument":` + string(b) + `}`
	}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("# a comment\n\n"+c.AccessKeyID+" "+c.SecretAccessKey+" "+c.SessionToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(document string, wantErr bool, opened, signatures, failed int64, args ...string) {
		t.Helper()
		args = append(args, "--count", "20", "--rate", "200/s", "--warmup", "0s", "--verify-rate", "1", "--json", "-", serve(t, document))
		out, err := execute(t, args...)
		if errors.Is(err, ErrVerify) != wantErr {
			t.Errorf("%q: %v, want ErrVerify: %t", args, err, wantErr)
		}
		r, err := report.ReadJSON(strings.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if v := *r.Verified; v.Documents != 1 || v.Opened != opened || v.Signatures != signatures || v.Failed != failed {
			t.Errorf("%q: %+v, want 1 document, %d opened, %d signatures, %d failed", args, v, opened, signatures, failed)
		}
		if strings.Contains(out, "X-Amz-Signature=") || strings.Contains(out, c.SecretAccessKey) {
			t.Errorf("the report shows a signature or a key:\n%s", out)
		}
	}
	get, put := url(presigner.GET), url(presigner.PUT)
	f(document(get, get), false, 2, 0, 0, "--verify")
	f(document(get, get), false, 2, 2, 0, "--verify", "--verify-keys", keys)
	f(document(get, put), false, 1, 2, 0, "--verify", "--verify-keys", keys)
	f(document(get, get), false, 0, 2, 0, "--verify=signature", "--verify-keys", keys)
	f(document(get, flip(get)), true, 1, 0, 1, "--verify")
	f(document(get, put), true, 1, 0, 1, "--verify")
	f(document(get, put), false, 0, 0, 0, "--verify", "--verify-skip", "a%20key")
	f(document(get, flip(get)), true, 0, 1, 1, "--verify=signature", "--verify-keys", keys)
	// A requested check that checks nothing must be reported.
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("AKIAOTHER secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(document(get), true, 0, 0, 0, "--verify=signature", "--verify-keys", other)
	f(document(), false, 0, 0, 0, "--verify")
	out, err := execute(t, "--count", "2", "--warmup", "0s", "--verify", "--verify-rate", "1", serve(t, document()))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, out, "warning: nothing was verified: there is no presigned URL in the 1 answer looked into")
}

// A store may ignore Range and answer with the whole object (RFC 9110 §14.2): the URL counts as opened.
func TestVerifyOpensAWholeObject(t *testing.T) {
	t.Parallel()
	object := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 4<<20)) // the verifier does not read all of it
	}))
	t.Cleanup(object.Close)
	out, err := execute(t, "--count", "2", "--warmup", "0s", "--verify", "--verify-rate", "1", serve(t, `{"url":"`+object.URL+`/v7.bin?X-Amz-Signature=ab"}`))
	if err != nil {
		t.Error(err)
	}
	contains(t, out, "1 opened, 0 signatures recomputed, 0 failed")
}
