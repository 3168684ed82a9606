package plan

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// The variables of every template; a scenario may capture more.
const (
	varThing = "thingName"
	varJob   = "jobId"
)

// template is text with {variables}, compiled once. It is immutable.
type template struct {
	parts []part
}

// part is literal text or, if variable is not empty, a hole.
type part struct {
	literal  []byte
	variable string
	slot     int // of a captured variable
}

// slots of the variables that are not captured.
const (
	slotThing = -1
	slotJob   = -2
)

// variables are the names a template may use and the slots of those that a scenario
// captures. A captured name takes precedence over thingName and jobId.
type variables map[string]int

func (v variables) slot(name string) (int, bool) {
	if slot, ok := v[name]; ok {
		return slot, true
	}
	switch name {
	case varThing:
		return slotThing, true
	case varJob:
		return slotJob, true
	}
	return 0, false
}

// compile reads text with {name} holes. A brace that does not begin a hole, as in
// JSON bodies, is literal text. A hole is '{', a letter, more letters or digits, and '}'.
func compile(text string, known variables) (template, error) {
	var t template
	for len(text) > 0 {
		i := strings.IndexByte(text, '{')
		name := ""
		if i >= 0 {
			name = holeName(text[i:])
		}
		if name == "" {
			end := len(text)
			if i >= 0 {
				end = i + 1
			}
			t.literal(text[:end])
			text = text[end:]
			continue
		}
		slot, ok := known.slot(name)
		if !ok {
			return template{}, fmt.Errorf("unknown variable {%s}: there are {%s}, {%s} and what an earlier step captures", name, varThing, varJob)
		}
		t.literal(text[:i])
		t.parts = append(t.parts, part{variable: name, slot: slot})
		text = text[i+len(name)+2:]
	}
	return t, nil
}

// holeName returns the name of the hole that text begins with, or "".
func holeName(text string) string {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '}' && i > 1:
			return text[1:i]
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 1 && c >= '0' && c <= '9':
		default:
			return ""
		}
	}
	return ""
}

func (t *template) literal(s string) {
	if s == "" {
		return
	}
	if n := len(t.parts); n > 0 && t.parts[n-1].variable == "" {
		t.parts[n-1].literal = append(t.parts[n-1].literal, s...)
		return
	}
	t.parts = append(t.parts, part{literal: []byte(s)})
}

// captured returns the slots of the holes that an earlier step must fill.
func (t *template) captured() (slots []int) {
	for _, p := range t.parts {
		if p.variable != "" && p.slot >= 0 {
			slots = append(slots, p.slot)
		}
	}
	return slots
}

// Values fill the holes of a template.
type Values struct {
	Plan       *Plan
	Thing, Job uint32   // indices of names
	Captured   [][]byte // by slot; nil in a run without captures
}

func (t *template) appendTo(dst []byte, v *Values) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		switch {
		case p.variable == "":
			dst = append(dst, p.literal...)
		case p.slot == slotThing:
			dst = v.Plan.Things.AppendTo(dst, v.Thing)
		case p.slot == slotJob:
			dst = v.Plan.Jobs.AppendTo(dst, v.Job)
		default:
			dst = append(dst, v.Captured[p.slot]...)
		}
	}
	return dst
}

// Request is an HTTP request compiled to bytes with holes. It is immutable.
type Request struct {
	head     template // request line and headers, with line ends
	body     template
	hasBody  bool
	Method   string
	Captured []int // slots that must be filled before it is sent
}

// Header is one header line of a request; its value may have {variables}.
type Header struct{ Name, Value string }

// newRequest compiles a request for path (with query) at host.
func newRequest(method, host, path string, headers []Header, body string, known variables) (*Request, error) {
	if err := checkToken("method", method); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("path %q does not begin with /", path)
	}
	if i := strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }); i >= 0 {
		return nil, fmt.Errorf("path %q has a byte at %d that must be percent-encoded", path, i)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	if !hasHeader(headers, "Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	if !hasHeader(headers, "User-Agent") {
		b.WriteString("User-Agent: jobgate-bench\r\n")
	}
	for _, h := range headers {
		if err := checkToken("header", h.Name); err != nil {
			return nil, err
		}
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			return nil, fmt.Errorf("header %s has a line break or NUL in its value", h.Name)
		}
		if strings.EqualFold(h.Name, "Content-Length") || strings.EqualFold(h.Name, "Transfer-Encoding") || strings.EqualFold(h.Name, "Connection") {
			return nil, fmt.Errorf("header %s is set by the generator: see --keep-alive for connections", h.Name)
		}
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	r := &Request{Method: method, hasBody: body != "" || method == "POST" || method == "PUT"}
	var err error
	if r.head, err = compile(b.String(), known); err != nil {
		return nil, err
	}
	if r.body, err = compile(body, known); err != nil {
		return nil, err
	}
	r.Captured = append(r.head.captured(), r.body.captured()...)
	return r, nil
}

func hasHeader(headers []Header, name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// checkToken returns an error if s is not a token (RFC 9110 §5.6.2).
func checkToken(what, s string) error {
	if s == "" {
		return fmt.Errorf("%s is empty", what)
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), c) >= 0 {
			return fmt.Errorf("%s %q has the byte %q, which HTTP does not allow there", what, s, c)
		}
	}
	return nil
}

// AppendTo appends the request's bytes. It uses scratch for the body and returns it for
// the next call. It allocates only to grow the two.
func (r *Request) AppendTo(dst, scratch []byte, v *Values, closing bool) (out, grown []byte) {
	dst = r.head.appendTo(dst, v)
	if closing {
		dst = append(dst, "Connection: close\r\n"...)
	}
	if r.hasBody {
		scratch = r.body.appendTo(scratch[:0], v)
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(scratch)), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	if r.hasBody {
		dst = append(dst, scratch...)
	}
	return dst, scratch
}
