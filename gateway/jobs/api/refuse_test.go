package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// violation is a value that breaks one constraint of a shape.
type violation struct {
	what  string
	value any
}

// candidates are strings, one of which each pattern of the model takes.
var candidates = []string{"abc", "ABC", "arn:aws:iot:us-east-1:123456789012:thing/a", "1.0"}

// sample returns a value that s takes, all members given.
func (s *shape) sample() any {
	switch s.kind {
	case kindBoolean:
		return true
	case kindInteger, kindLong, kindDouble, kindTimestamp:
		return max(s.bounds.min, 1)
	case kindList:
		return []any{s.element.sample()}
	case kindMap:
		return map[string]any{s.key.sample().(string): s.element.sample()}
	case kindStructure:
		m := map[string]any{}
		for _, member := range s.members {
			m[member.name] = member.shape.sample()
		}
		return m
	}
	if s.enum != nil {
		return s.enum[0]
	}
	for _, c := range candidates {
		if s.stringFaults(c) == nil {
			return c
		}
	}
	return strings.Repeat("x", int(s.bounds.min))
}

// violations returns values that break each of s's constraints, also those inside.
func (s *shape) violations() (list []violation) {
	add := func(what string, value any) { list = append(list, violation{what, value}) }
	switch s.kind {
	case kindString:
		add("a number", 1)
		for _, v := range s.textViolations() {
			add(v.what, v.value)
		}
	case kindBoolean:
		add("text", "true")
	case kindInteger, kindLong, kindDouble:
		add("text", "1")
		if s.kind != kindDouble {
			add("a fraction", 1.5)
		}
		if s.kind == kindInteger {
			add("64 bits", 1<<40)
		}
		if s.bounds.hasMin {
			add("too small", s.bounds.min-1)
		}
		if s.bounds.hasMax {
			add("too large", s.bounds.max+1)
		}
	case kindList:
		add("text", "[]")
		if s.bounds.hasMin {
			add("empty", []any{})
		}
		if s.bounds.hasMax {
			add("too long", slices.Repeat([]any{s.element.sample()}, int(s.bounds.max)+1))
		}
		add("null inside", []any{nil})
		for _, v := range s.element.violations() {
			add(v.what+" inside", []any{v.value})
		}
	case kindMap:
		add("text", "{}")
		for _, v := range s.key.textViolations() {
			add(v.what+" as a key", map[string]any{v.value.(string): s.element.sample()})
		}
		for _, v := range s.element.violations() {
			add(v.what+" as a value", map[string]any{s.key.sample().(string): v.value})
		}
	case kindStructure:
		add("a list", []any{})
		list = append(list, memberViolations(s.members)...)
	}
	return list
}

func (s *shape) textViolations() (list []violation) {
	if s.enum != nil {
		list = append(list, violation{"no word of the enum", "NONE_OF_IT"})
	}
	if s.bounds.hasMin && s.bounds.min > 0 {
		list = append(list, violation{"too short", strings.Repeat("a", int(s.bounds.min)-1)})
	}
	if s.bounds.hasMax {
		list = append(list, violation{"too long", strings.Repeat("a", int(s.bounds.max)+1)})
	}
	if s.pattern != nil && !s.pattern.MatchString("\u0007 ") {
		list = append(list, violation{"against the pattern", "\u0007 "})
	}
	return list
}

// memberViolations returns structures each of which has one member wrong.
func memberViolations(members []member) (list []violation) {
	for _, m := range members {
		with := func(what string, value any) {
			structure := (&shape{kind: kindStructure, members: members}).sample().(map[string]any)
			structure[m.name] = value
			if what == "missing" {
				delete(structure, m.name)
			}
			list = append(list, violation{m.name + " " + what, structure})
		}
		if m.required {
			with("missing", nil)
			with("null", nil)
		}
		for _, v := range m.shape.violations() {
			with(v.what, v.value)
		}
	}
	return list
}

// form forms a request of op with the given values of its input.
func (op *operation) form(values map[string]any) (uri, body string) {
	segments := slices.Clone(op.segments)
	query := url.Values{}
	members := map[string]any{}
	for _, m := range op.input {
		v, given := values[m.name]
		switch {
		case m.place == "uri":
			i := slices.Index(segments, "{"+m.name+"}")
			segments[i] = url.PathEscape(textOf(v))
		case m.place == "query" && given:
			query.Set(m.name, textOf(v))
		case given:
			members[m.name] = v
		}
	}
	uri = "/" + strings.Join(segments, "/")
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	if len(members) > 0 {
		text, _ := json.Marshal(members)
		body = string(text)
	}
	return uri, body
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// base drops what need not be given, so that one fault is the only one.
func (op *operation) base() map[string]any {
	values := map[string]any{}
	for _, m := range op.input {
		if m.required {
			values[m.name] = m.shape.sample()
		}
	}
	return values
}

// refusals returns every request that op must refuse because one member is wrong.
func (op *operation) refusals() (list []violation) {
	for _, m := range op.input {
		add := func(what string, value any) {
			values := op.base()
			values[m.name] = value
			if what == "missing" {
				delete(values, m.name)
			}
			list = append(list, violation{m.name + " " + what, values})
		}
		if m.required && m.place != "uri" {
			add("missing", nil)
		}
		for _, v := range m.shape.violations() {
			text, isText := v.value.(string)
			if m.place != "" && (!isText || m.place == "uri" && text == "") || v.what == "a number" && m.place != "" || m.place != "" && v.what == "text" {
				continue // cannot be said in a path or a query, or is no fault there
			}
			add(v.what, v.value)
		}
		if m.place == "query" && m.shape.kind == kindBoolean {
			add("neither true nor false", "yes")
		}
		if m.place == "query" && m.shape.bounds.hasMax && m.shape.kind == kindInteger {
			add("too large", m.shape.bounds.max+1)
			add("too small", m.shape.bounds.min-1)
		}
		if m.place != "" && (m.shape.kind == kindInteger || m.shape.kind == kindLong) {
			add("no number", "x1")
			add("a fraction", 1.5)
		}
	}
	return list
}

// Every operation refuses every malformed member, in AWS's shape, and changes nothing.
func TestEveryMalformedMember(t *testing.T) {
	p := newPlane(t)
	f := func(s signature, op *operation) {
		refusals := op.refusals()
		if len(refusals) == 0 && len(op.input) > 0 {
			t.Errorf("%s: nothing to refuse", op.name)
		}
		for _, v := range refusals {
			uri, body := op.form(v.value.(map[string]any))
			before := p.store.writes.Load()
			r := p.do(s, op.method, uri, body)
			name, _, _ := strings.Cut(v.what, " ")
			checkException(t, op.name+" "+v.what, r, http.StatusBadRequest, "InvalidRequestException", name)
			if p.store.writes.Load() != before {
				t.Errorf("%s %s: something changed", op.name, v.what)
			}
		}
		t.Logf("%s: %d refusals", op.name, len(refusals))
	}
	for _, route := range p.control.routes {
		f(operator, route.operation)
	}
	for _, op := range p.control.data.model {
		f(operator.asDevice(), op)
	}
}

// Bodies that are no members at all.
func TestEveryMalformedBody(t *testing.T) {
	p := newPlane(t)
	f := func(s signature, op *operation) {
		if !op.hasBody() {
			return
		}
		uri, _ := op.form(op.base())
		for _, body := range []string{"[]", "null", "1", `"x"`, "{", `{"a":`, `{"a":1}}`, "{} x", "\x00", "{\"a\":\"\xff\"}", strings.Repeat("[", 20000)} {
			before := p.store.writes.Load()
			checkException(t, fmt.Sprintf("%s %.20q", op.name, body), p.do(s, op.method, uri, body), http.StatusBadRequest, "InvalidRequestException", "body")
			if p.store.writes.Load() != before {
				t.Errorf("%s %.20q: something changed", op.name, body)
			}
		}
	}
	for _, route := range p.control.routes {
		f(operator, route.operation)
	}
	f(operator.asDevice(), p.control.data.model[update])
	f(operator.asDevice(), p.control.data.model[startNext])
}

// Who has not signed as they must gets no further, whatever they ask.
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
		for _, route := range p.control.routes {
			uri, body := route.form(route.base())
			checkException(t, route.name+" "+what, p.do(fault.s, route.method, uri, body), fault.status, fault.name, "")
		}
		checkException(t, "watch "+what, p.do(fault.s, "GET", StreamPath, ""), fault.status, fault.name, "")
	}
	if p.store.writes.Load() != before {
		t.Error("something changed")
	}
}

// A key does what it is for.
func TestPermissions(t *testing.T) {
	p := newPlane(t)
	p.createThings("sensor:a1", "other")
	p.createJob("j", "sensor:a1", "other")
	before := p.store.writes.Load()
	for _, route := range p.control.routes {
		uri, body := route.form(route.base())
		r := p.do(dashboard, route.method, uri, body)
		if denied := r.StatusCode() == http.StatusForbidden; denied == (route.method == "GET") {
			t.Errorf("%s with a read-only key: %d", route.name, r.StatusCode())
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

// On the device listener, who signed may ask for what their key is for, of the service that it is signed for.
func TestIdentify(t *testing.T) {
	p := newPlane(t)
	p.createThings("sensor:a1", "other")
	f := func(s signature, uri string, want int) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		s.prepare(t, &ctx, p.now, "GET", uri, "")
		if _, err := p.control.config.Verifier.Identify(&ctx, p.now); err != nil {
			err.Write(&ctx)
		} else {
			p.control.data.Serve(&ctx, p.now, nil, true)
		}
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%s by %s: %d %s, want %d", uri, s.id, got, ctx.Response.Body(), want)
		}
	}
	f(sensor, "/things/sensor:a1/jobs", 200)
	f(sensor, "/things/other/jobs", 403)
	f(operator.asDevice(), "/things/other/jobs", 200)
	f(operator, "/things/other/jobs", 403)
	f(signature{id: sensor.id, secret: "x", service: ServiceData}, "/things/sensor:a1/jobs", 403)
	f(signature{none: true}, "/things/sensor:a1/jobs", 403)
	var ctx fasthttp.RequestCtx
	request(&ctx, "GET", "/things/other/jobs", "")
	if p.control.data.Serve(&ctx, p.now, nil, true); ctx.Response.StatusCode() != http.StatusForbidden {
		t.Errorf("nobody identified: %d", ctx.Response.StatusCode())
	}
}

// Tokens are good for their listing, and only as they were given.
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
	again, _ := page("/things?maxResults=2&nextToken=" + token) // another size is no other listing
	more, last := page("/things?maxResults=250&nextToken=" + token)
	if strings.Join(again, "") != "bc" || strings.Join(more, "") != "bc" || last != "" {
		t.Errorf("pages after the first: %v, %v, %q", again, more, last)
	}
	f := func(what, uri, token string) {
		t.Helper()
		r := p.do(operator, "GET", uri+"nextToken="+url.QueryEscape(token), "")
		checkException(t, what, r, http.StatusBadRequest, "InvalidRequestException", "nextToken")
	}
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	f("changed", "/things?", string(changed))
	f("cut", "/things?", token[:len(token)-2])
	f("not encoded", "/things?", "!")
	f("plain", "/things?", "YQ")
	f("of other parameters", "/things?thingTypeName=t&", token)
	f("of another operation", "/thing-groups?", token)
	other := newPlane(t)
	other.createThings("a", "b")
	f("of another process", "/things?", other.ok(operator, "GET", "/things?maxResults=1", "")["nextToken"].(string))
}
