package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/jobs/api/exception/exceptiontest"
	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/jobs/api/model/modeltest"
	"jobgate/gateway/target"
)

// Every operation refuses every malformed member, in AWS's shape, and changes nothing.
func TestEveryMalformedMember(t *testing.T) {
	p := newPlane(t)
	f := func(s signature, op *model.Operation) {
		refusals := modeltest.Refusals(op)
		if len(refusals) == 0 && len(op.Input) > 0 {
			t.Errorf("%s: nothing to refuse", op.Name)
		}
		for _, v := range refusals {
			uri, body := modeltest.Form(op, v.Value.(map[string]any))
			before := p.store.writes.Load()
			r := p.do(s, op.Method, uri, body)
			name, _, _ := strings.Cut(v.What, " ")
			exceptiontest.Check(t, op.Name+" "+v.What, r, http.StatusBadRequest, "InvalidRequestException", name)
			if p.store.writes.Load() != before {
				t.Errorf("%s %s: something changed", op.Name, v.What)
			}
		}
		t.Logf("%s: %d refusals", op.Name, len(refusals))
	}
	for _, s := range []signature{operator, operator.asDevice()} {
		for _, op := range operationsOf(t, s) {
			f(s, op)
		}
	}
}

// Bodies that are not an object.
func TestEveryMalformedBody(t *testing.T) {
	p := newPlane(t)
	f := func(s signature, op *model.Operation) {
		if !op.HasBody() {
			return
		}
		uri, _ := modeltest.Form(op, modeltest.Base(op))
		for _, body := range []string{"[]", "null", "1", `"x"`, "{", `{"a":`, `{"a":1}}`, "{} x", "\x00", "{\"a\":\"\xff\"}", `{"a":"\ud83d"}`, `{"a":"\ude00\ud83d"}`, `{"a":"\\\ud83dx"}`, strings.Repeat("[", 20000)} {
			before := p.store.writes.Load()
			exceptiontest.Check(t, fmt.Sprintf("%s %.20q", op.Name, body), p.do(s, op.Method, uri, body), http.StatusBadRequest, "InvalidRequestException", "body")
			if p.store.writes.Load() != before {
				t.Errorf("%s %.20q: something changed", op.Name, body)
			}
		}
	}
	for _, s := range []signature{operator, operator.asDevice()} {
		for _, op := range operationsOf(t, s) {
			f(s, op)
		}
	}
}

// Every request without a valid signature is refused.
func TestEverySignatureFault(t *testing.T) {
	p := newPlane(t)
	faults := map[string]struct {
		s      signature
		status int
		name   string
	}{
		"unsigned":        {signature{none: true}, 403, "MissingAuthenticationTokenException"},
		"another secret":  {signature{id: operator.id, secret: "wrong"}, 403, "InvalidSignatureException"},
		"unknown key":     {signature{id: "AKIAUNKNOWN", secret: operator.secret}, 403, "UnrecognizedClientException"},
		"a token":         {signature{id: operator.id, secret: operator.secret, token: "t"}, 403, "UnrecognizedClientException"},
		"expired":         {signature{id: operator.id, secret: operator.secret, late: 301e9}, 403, "InvalidSignatureException"},
		"from the future": {signature{id: operator.id, secret: operator.secret, late: -301e9}, 403, "InvalidSignatureException"},
		"another region":  {signature{id: operator.id, secret: operator.secret, region: "eu-west-1"}, 403, "InvalidSignatureException"},
		"another service": {signature{id: operator.id, secret: operator.secret, service: "s3"}, 403, "InvalidSignatureException"},
		"a device's key":  {signature{id: sensor.id, secret: sensor.secret}, 403, "AccessDeniedException"},
	}
	before := p.store.writes.Load()
	for _, what := range slices.Sorted(maps.Keys(faults)) {
		fault := faults[what]
		for _, op := range operationsOf(t, operator) {
			uri, body := modeltest.Form(op, modeltest.Base(op))
			exceptiontest.Check(t, op.Name+" "+what, p.do(fault.s, op.Method, uri, body), fault.status, fault.name, "")
		}
		exceptiontest.Check(t, "watch "+what, p.do(fault.s, "GET", events.Path, ""), fault.status, fault.name, "")
	}
	if p.store.writes.Load() != before {
		t.Error("something changed")
	}
}

// A key allows exactly its operations.
func TestPermissions(t *testing.T) {
	p := newPlane(t)
	p.createThings("sensor:a1", "other")
	p.createJob("j", "sensor:a1", "other")
	before := p.store.writes.Load()
	for _, op := range operationsOf(t, operator) {
		uri, body := modeltest.Form(op, modeltest.Base(op))
		r := p.do(dashboard, op.Method, uri, body)
		if denied := r.StatusCode() == http.StatusForbidden; denied != op.Changes() {
			t.Errorf("%s with a read-only key: %d", op.Name, r.StatusCode())
		}
	}
	f := func(s signature, method, uri, body string, status int) {
		t.Helper()
		if r := p.do(s, method, uri, body); r.StatusCode() != status {
			t.Errorf("%s %s: %d %s, want %d", method, uri, r.StatusCode(), r.Body(), status)
		}
	}
	f(dashboard.asDevice(), "GET", "/things/other/jobs", "", 200)
	f(dashboard.asDevice(), "GET", "/things/other/jobs/$next", "", 200)
	f(dashboard.asDevice(), "PUT", "/things/other/jobs/$next", "{}", 403)
	f(dashboard.asDevice(), "POST", "/things/other/jobs/j", `{"status":"SUCCEEDED"}`, 403)
	f(sensor, "GET", "/things/other/jobs", "", 403)
	f(sensor, "GET", "/things/sensor:b1/jobs", "", 403)
	f(sensor, "POST", "/things/other/jobs/j", `{"status":"SUCCEEDED"}`, 403)
	if p.store.writes.Load() != before {
		t.Error("something changed")
	}
	f(sensor, "GET", "/things/sensor:a1/jobs", "", 200)
	f(sensor, "POST", "/things/sensor:a1/jobs/j", `{"status":"SUCCEEDED"}`, 200)
}

// On the device listener, a signed request may do what its key allows, on the service that it is signed for.
func TestIdentify(t *testing.T) {
	p := newPlane(t)
	p.createThings("sensor:a1", "other")
	f := func(s signature, uri string, want int) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		s.prepare(t, &ctx, p.now, "GET", uri, "")
		var asked target.Target
		if err := asked.Parse(ctx.Request.Header.RequestURI()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.verifier.Identify(&ctx, &asked, p.now); err != nil {
			err.Write(&ctx)
		} else {
			p.serveDevice(&ctx, &asked)
		}
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%s by %s: %d %s, want %d", uri, s.id, got, ctx.Response.Body(), want)
		}
		if id := ctx.Response.Header.Peek("X-Amzn-RequestId"); len(id) != 36 {
			t.Errorf("%s by %s: the request id is %q", uri, s.id, id)
		}
	}
	f(sensor, "/things/sensor:a1/jobs", 200)
	f(sensor, "/things/other/jobs", 403)
	f(operator.asDevice(), "/things/other/jobs", 200)
	f(operator, "/things/other/jobs", 403)
	f(signature{id: sensor.id, secret: "x", service: access.ServiceData}, "/things/sensor:a1/jobs", 403)
	f(signature{none: true}, "/things/sensor:a1/jobs", 403)
	var ctx fasthttp.RequestCtx
	var asked target.Target
	if err := asked.Parse([]byte("/things/other/jobs")); err != nil {
		t.Fatal(err)
	}
	if p.serveDevice(&ctx, &asked); ctx.Response.StatusCode() != http.StatusForbidden {
		t.Errorf("an unsigned request: %d", ctx.Response.StatusCode())
	}
}

// serveDevice answers a request of an identified caller, as the device listener does.
func (p *plane) serveDevice(ctx *fasthttp.RequestCtx, asked *target.Target) {
	x := data.Exchange{Now: p.now, Target: asked, Authenticated: true}
	defer x.Release()
	p.data.Match(ctx.Method(), &x)
	p.data.Serve(ctx, &x)
}

// Tokens are valid for their listing only, and only unchanged.
func TestTokens(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b", "c")
	page := func(uri string) (names []string, token string) {
		answer := p.ok(operator, "GET", uri, "")
		for _, v := range answer["things"].([]any) {
			names = append(names, v.(map[string]any)["thingName"].(string))
		}
		token, _ = answer["nextToken"].(string)
		return names, token
	}
	names, token := page("/things?maxResults=1&attributeName=x")
	if len(names) != 0 || token != "" {
		t.Errorf("an empty listing: %v %q", names, token)
	}
	names, token = page("/things?maxResults=1")
	if len(names) != 1 || token == "" || strings.Contains(token, "a=") {
		t.Fatalf("first page: %v %q", names, token)
	}
	again, _ := page("/things?maxResults=2&nextToken=" + token) // the page size is not part of the listing
	more, last := page("/things?maxResults=250&nextToken=" + token)
	if strings.Join(again, "") != "bc" || strings.Join(more, "") != "bc" || last != "" {
		t.Errorf("pages after the first: %v, %v, %q", again, more, last)
	}
	f := func(what, uri, token string) {
		t.Helper()
		r := p.do(operator, "GET", uri+"nextToken="+url.QueryEscape(token), "")
		exceptiontest.Check(t, what, r, http.StatusBadRequest, "InvalidRequestException", "nextToken")
	}
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	f("changed", "/things?", string(changed))
	f("cut", "/things?", token[:len(token)-2])
	f("spelled otherwise", "/things?", token+"\n")
	f("of other bits at the end", "/things?", token[:len(token)-1]+string(token[len(token)-1]+1))
	f("not encoded", "/things?", "!")
	f("plain", "/things?", "YQ")
	f("of other parameters", "/things?thingTypeName=t&", token)
	f("of another operation", "/thing-groups?", token)
	other := newPlane(t)
	other.createThings("a", "b")
	f("of another key", "/things?", other.ok(operator, "GET", "/things?maxResults=1", "")["nextToken"].(string))
}

// Both planes accept a signature in the query, as AWS does.
func TestSignedInQuery(t *testing.T) {
	p := newPlane(t)
	p.createThings("sensor:a1", "other")
	f := func(s signature, method, uri, body, tampered string, want int) {
		t.Helper()
		req, err := http.NewRequest(method, "http://localhost"+uri, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		query := req.URL.Query()
		query.Set("X-Amz-Expires", "60")
		req.URL.RawQuery = query.Encode()
		digest := sha256.Sum256([]byte(body))
		signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: s.id, SecretAccessKey: s.secret}, req,
			hex.EncodeToString(digest[:]), cmp.Or(s.service, access.ServiceControl), testNames.Region, p.now.Add(-s.late))
		if err != nil {
			t.Fatal(err)
		}
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(method)
		ctx.Request.Header.SetRequestURI(strings.TrimPrefix(signed, "http://localhost"))
		ctx.Request.Header.SetHost("localhost")
		ctx.Request.SetBodyString(body + tampered)
		ctx.Request.Header.SetContentLength(len(body)) // it is signed as well
		p.control.Handle(&ctx)
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%s %s by %s for %s: %d %s, want %d", method, uri, s.id, s.service, got, ctx.Response.Body(), want)
		}
	}
	device := sensor
	device.service = access.ServiceData
	f(device, "GET", "/things/sensor:a1/jobs", "", "", 200)
	f(device, "GET", "/things/sensor%3Aa1/jobs/$next?includeJobDocument=false", "", "", 200)
	f(device, "PUT", "/things/sensor:a1/jobs/$next", "{}", "", 200)
	f(device, "PUT", "/things/sensor:a1/jobs/$next", "{}", " ", 403)
	f(device, "GET", "/things/other/jobs", "", "", 403)
	wrong := device
	wrong.secret = "another"
	f(wrong, "GET", "/things/sensor:a1/jobs", "", "", 403)

	f(operator, "GET", "/jobs", "", "", 200)
	f(operator, "POST", "/things/new", `{"thingTypeName":"t"}`, "", 200)
	f(operator, "POST", "/things/more", "{}", " ", 403)
	f(device, "POST", "/things/more", "{}", "", 404) // not an operation of the service that it is signed for
	gateway, wrong, stranger, unknown := operator, operator, operator, operator
	gateway.service, wrong.secret, stranger.service, unknown.id = "execute-api", "another", "s3", "AKIANOBODY"
	f(gateway, "GET", "/jobs", "", "", 200)
	f(wrong, "GET", "/jobs", "", "", 403)
	f(unknown, "GET", "/jobs", "", "", 403)
	f(stranger, "GET", "/jobs", "", "", 400)
	late := operator
	late.late = 61e9
	f(late, "GET", "/jobs", "", "", 403)
	f(dashboard, "GET", "/jobs", "", "", 200)
	f(dashboard, "POST", "/things/more", "{}", "", 403) // it is read_only
	bounded := sensor
	bounded.service = access.ServiceControl
	f(bounded, "GET", "/jobs", "", "", 403) // it acts for one thing
}
