package gateway

import (
	"fmt"
	"strings"
)

// maxVariables bounds the path variables of a route, so that a match does not allocate.
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
				return p, fmt.Errorf("cannot use path %q: variable {%s} appears twice", path, name)
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

// variables holds the values of a route's path variables, valid as long as the request.
type variables [maxVariables][]byte

// match reports whether the path of these segments is p's and fills vars. The values are not yet validated.
func (p *pathPattern) match(path [][]byte, vars *variables) bool {
	if len(path) != len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if s.variable < 0 && string(path[i]) != s.literal {
			return false
		}
	}
	for i, s := range p.segments {
		if s.variable >= 0 {
			vars[s.variable] = path[i]
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
