package gateway

import (
	"bytes"
	"fmt"
	"strings"
)

// maxVariables bounds the path variables of a route, so that a match needs no memory.
const maxVariables = 8

// maxVariableBytes is the longest value of a path variable, AWS's limit on thing names.
const maxVariableBytes = 128

// segment is one part of a route's path between two slashes.
type segment struct {
	literal  string
	variable int8 // index into the route's variables; -1: literal
}

// pathPattern is a compiled path such as /things/{thingName}/jobs/{jobId}.
type pathPattern struct {
	segments  []segment
	variables []string // names, in order of appearance
}

// parsePath compiles a route's path. A variable is a whole segment.
func parsePath(path string) (pathPattern, error) {
	var p pathPattern
	if !strings.HasPrefix(path, "/") {
		return p, fmt.Errorf("cannot use path %q: it must begin with /", path)
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if !strings.ContainsAny(part, "{}") {
			p.segments = append(p.segments, segment{literal: part, variable: -1})
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(part, "{"), "}")
		if len(name) != len(part)-2 || name == "" || strings.ContainsAny(name, "{}") {
			return p, fmt.Errorf("cannot use path %q: a variable must be a whole segment, {name}; got %q", path, part)
		}
		for _, known := range p.variables {
			if known == name {
				return p, fmt.Errorf("cannot use path %q: variable {%s} stands in it twice", path, name)
			}
		}
		if len(p.variables) == maxVariables {
			return p, fmt.Errorf("cannot use path %q: more than %d variables", path, maxVariables)
		}
		p.segments = append(p.segments, segment{variable: int8(len(p.variables))})
		p.variables = append(p.variables, name)
	}
	return p, nil
}

// index returns the index of the named variable, -1 if the path has none of that name.
func (p *pathPattern) index(name string) int {
	for i, v := range p.variables {
		if v == name {
			return i
		}
	}
	return -1
}

// shadows reports whether p matches every path that q matches.
func (p *pathPattern) shadows(q *pathPattern) bool {
	if len(p.segments) != len(q.segments) {
		return false
	}
	for i, s := range p.segments {
		if s.variable < 0 && (q.segments[i].variable >= 0 || q.segments[i].literal != s.literal) {
			return false
		}
	}
	return true
}

// pathParts is a request's path taken apart: split at raw slashes, each segment
// decoded once. Its slices are valid until the request is done.
type pathParts struct {
	parts   [maxSegments][]byte
	n       int
	scratch []byte // decoded segments
}

// maxSegments bounds the segments of a path that routes can match; longer paths
// go to the upstream.
const maxSegments = 24

// split takes the path of a request target apart. It reports false for a path that
// no route can match: too many segments or a broken escape.
func (p *pathParts) split(path []byte) bool {
	p.n, p.scratch = 0, p.scratch[:0]
	if len(path) == 0 || path[0] != '/' {
		return false
	}
	start, escaped := 1, false
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			escaped = escaped || path[i] == '%'
			continue
		}
		if p.n == maxSegments {
			return false
		}
		part := path[start:i]
		if escaped {
			from := len(p.scratch)
			var ok bool
			if p.scratch, ok = appendDecoded(p.scratch, part); !ok {
				return false
			}
			part = p.scratch[from:]
		}
		p.parts[p.n] = part
		p.n++
		start, escaped = i+1, false
	}
	return true
}

var slash = []byte{'/'}

// appendDecoded appends s with its %XX escapes decoded once.
func appendDecoded(dst, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			dst = append(dst, s[i])
			continue
		}
		if i+2 >= len(s) {
			return dst, false
		}
		hi, lo := unhex[s[i+1]], unhex[s[i+2]]
		if hi < 0 || lo < 0 {
			return dst, false
		}
		dst = append(dst, byte(hi<<4|lo))
		i += 2
	}
	return dst, true
}

var unhex = func() (t [256]int8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = int8(c - '0')
		case c >= 'a' && c <= 'f':
			t[c] = int8(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			t[c] = int8(c - 'A' + 10)
		default:
			t[c] = -1
		}
	}
	return t
}()

// variables holds the values of a route's path variables, valid as long as the request.
type variables [maxVariables][]byte

// match reports whether the path is p's and fills vars. The values are not yet validated.
func (p *pathPattern) match(path *pathParts, vars *variables) bool {
	if path.n != len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if s.variable < 0 && string(path.parts[i]) != s.literal {
			return false
		}
	}
	for i, s := range p.segments {
		if s.variable >= 0 {
			vars[s.variable] = path.parts[i]
		}
	}
	return true
}

// validate checks the values of p's variables: 1–128 of [A-Za-z0-9:_.-], not "." or
// "..", so that a value can neither leave its segment nor break a URL.
func (p *pathPattern) validate(vars *variables) *Error {
	for i, name := range p.variables {
		if !validName(vars[i]) {
			return errBadRequest("{%s} must be 1 to %d of A-Z a-z 0-9 : _ . - and neither . nor ..; got %.140q", name, maxVariableBytes, vars[i])
		}
	}
	return nil
}

func validName(v []byte) bool {
	if len(v) == 0 || len(v) > maxVariableBytes || string(v) == "." || string(v) == ".." {
		return false
	}
	for _, c := range v {
		if !nameByte[c] {
			return false
		}
	}
	return true
}

var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == ':' || c == '_' || c == '.' || c == '-'
	}
	return t
}()

// requestPath returns the path of a request target as sent, without its query; the
// authority of an absolute-form target (RFC 9112 §3.2.2) is left out.
func requestPath(target []byte) []byte {
	if len(target) > 0 && target[0] != '/' {
		if i := bytes.Index(target, schemeEnd); i >= 0 {
			target = target[i+len(schemeEnd):]
			i = bytes.IndexByte(target, '/')
			if i < 0 {
				return slash
			}
			target = target[i:]
		}
	}
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	return target
}

var schemeEnd = []byte("://")
