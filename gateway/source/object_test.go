package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var testObject = Object{Region: "eu-west-1", Bucket: "firmware", Key: "v 7.bin", Version: "a/b+c"}

// openFrom opens testObject from a server with handler h.
func openFrom(t *testing.T, h http.HandlerFunc, stall time.Duration) (*Body, error) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	body, err := newS3(t, server.URL).Open(context.Background(), testObject, stall)
	if err == nil {
		t.Cleanup(func() { _ = body.Close() })
	}
	return body, err
}

func TestOpen(t *testing.T) {
	want := bytes.Repeat([]byte("firmware"), 1<<15)
	_, err := openFrom(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Method + " " + r.RequestURI; got != "GET /firmware/v%207.bin?versionId=a%2Fb%2Bc" {
			t.Errorf("request %s", got)
		}
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/s3/aws4_request") {
			t.Errorf("signed as %q", auth)
		}
		w.Header().Set("X-Amz-Version-Id", "a/b+c")
		w.Header().Set("Content-Encoding", "gzip") // stored with the object; the bytes are not decoded
		_, _ = w.Write(want[:10])
		_, _ = w.Write(want[10:])
	}, time.Minute)
	if err == nil {
		t.Fatal("an answer without a length is accepted")
	}
	body, err := openFrom(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Version-Id", "a/b+c")
		w.Header().Set("Content-Length", "262144")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(want)
	}, time.Minute)
	if err != nil || body.Size != int64(len(want)) {
		t.Fatalf("size %v, %v", body, err)
	}
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestOpenRefused(t *testing.T) {
	f := func(class error, text string, h http.HandlerFunc) {
		t.Helper()
		body, err := openFrom(t, h, 200*time.Millisecond)
		if err == nil {
			_, err = io.ReadAll(body)
		}
		if !errors.Is(err, class) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "s3://eu-west-1.firmware/v 7.bin@a/b+c") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v, want %v and %q", err, class, text)
		}
	}
	refusal := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>so it is</Message></Error>")
		}
	}
	f(ErrNotFound, "NoSuchVersion", refusal(404, "NoSuchVersion"))
	f(ErrNotFound, "InvalidArgument", refusal(400, "InvalidArgument"))
	f(ErrNotFound, "MethodNotAllowed", refusal(405, "MethodNotAllowed"))
	f(ErrForbidden, "AccessDenied", refusal(403, "AccessDenied"))
	f(ErrUnavailable, "ExpiredToken", refusal(400, "ExpiredToken"))
	f(ErrUnavailable, "SlowDown", refusal(503, "SlowDown"))
	answer := func(version, length string, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Version-Id", version)
			w.Header().Set("Content-Length", length)
			_, _ = io.WriteString(w, body)
		}
	}
	f(ErrNotFound, `answers with version "null"`, answer("null", "1", "x"))
	f(ErrNotFound, "is the bucket versioned?", answer("", "1", "x"))
	f(ErrUnavailable, "", answer("a/b+c", "9", "x")) // cut short
	f(ErrUnavailable, "nothing came for 200ms", func(w http.ResponseWriter, r *http.Request) {
		answer("a/b+c", "9", "x")(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f(ErrUnavailable, "nothing came for 200ms", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func TestExists(t *testing.T) {
	for status, want := range map[int]error{200: nil, 404: ErrNotFound, 405: ErrNotFound, 403: ErrForbidden, 503: ErrUnavailable, 400: ErrUnavailable} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Method + " " + r.RequestURI; got != "HEAD /firmware/v%207.bin?versionId=a%2Fb%2Bc" {
				t.Errorf("request %s", got)
			}
			w.WriteHeader(status)
		}))
		if err := newS3(t, server.URL).Exists(context.Background(), testObject); !errors.Is(err, want) {
			t.Errorf("%d: %v", status, err)
		}
		server.Close()
	}
}
