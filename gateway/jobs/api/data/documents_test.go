package data

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs/api/exception/exceptiontest"
	"jobgate/gateway/jobs/documents"
	"jobgate/presigner/role"

	"jobgate/gateway/signing/signingtest"
)

// askAt requests `$next` with its document, at the given time.
func askAt(d *Plane, at time.Time, method, uri string) *fasthttp.Response {
	var ctx fasthttp.RequestCtx
	request(&ctx, method, uri, `{"status":"IN_PROGRESS","includeJobDocument":true}`)
	new(device).serve(d, &ctx, at, nil, false)
	return &ctx.Response
}

const nextOf1 = "/things/sensor:1/jobs/$next"

// Every operation that returns a document answers 503 if it cannot be signed, and stores nothing.
func TestSigningFails(t *testing.T) {
	d, service, signing := newFake(t, signingtest.SharedDocument)
	f := func(method, uri, message string) {
		t.Helper()
		r := askAt(d, testTime, method, uri)
		exceptiontest.Check(t, method, r, http.StatusServiceUnavailable, "ServiceUnavailableException", message)
		if len(r.Header.Peek("Retry-After")) == 0 {
			t.Errorf("%s: no Retry-After", method)
		}
		if service.updated != nil {
			t.Errorf("%s: stored", method)
		}
	}
	signing.Err = &role.UnavailableError{RetryAfter: 20 * time.Second, Reason: "STS is down: secret detail"}
	f("GET", nextOf1, "cannot be signed")
	f("PUT", nextOf1, "cannot be signed")
	f("POST", "/things/sensor:1/jobs/update-7", "cannot be signed")
	if after := string(askAt(d, testTime, "GET", nextOf1).Header.Peek("Retry-After")); after < "20" || after > "40" {
		t.Errorf("Retry-After %s, want 20 to 40", after)
	}
	signing.Err, signing.Granted.Lifetime = nil, 8*24*time.Hour
	f("GET", nextOf1, "cannot be filled")
	if body := string(askAt(d, testTime, "GET", nextOf1).Body()); strings.Contains(body, "secret") {
		t.Errorf("the cause is revealed: %s", body)
	}
	service.described.Document.Template = newTemplate(t, signingtest.PerDeviceDocument)
	signing.Granted.Lifetime, service.described.Execution.Thing = 0, ".."
	f("GET", nextOf1, "cannot be filled")
}

// Without a configured role, nothing is signed.
func TestNoSigning(t *testing.T) {
	service := &fakeService{described: newDescribed(t, signingtest.SharedDocument), found: true}
	d, err := New(Config{Service: service, Documents: documents.New(documents.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	exceptiontest.Check(t, "signed", askAt(d, testTime, "GET", nextOf1), 503, "ServiceUnavailableException", "cannot be signed")
	service.described.Document.Template = newTemplate(t, plainDocument)
	if r := askAt(d, testTime, "GET", nextOf1); r.StatusCode() != http.StatusOK {
		t.Errorf("plain: %d", r.StatusCode())
	}
}
