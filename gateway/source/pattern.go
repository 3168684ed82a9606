package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pattern is a document's URL with variables in braces, such as
// "s3://job-documents/{jobId}.json". Variables may be in the path (for HTTP also in the
// query), never in the server, bucket or folder. It is immutable.
//
//	file:///srv/docs/{jobId}.json   path segments, percent-encoded; the folder is the part
//	                                before the first segment with a variable
//	s3://bucket/key of {jobId}      the key, not encoded
//	https://host/a/{b}?c={d}        percent-encoded
type Pattern struct {
	text   string
	scheme string
	host   string // bucket or host; "" for file
	folder string // file only, decoded
	parts  []part
}

// part is literal text, or a variable's place among the values if literal is "".
type part struct {
	literal  string
	variable int
}

// ErrName says that a value cannot be part of a document's URL. It is the client's error.
var ErrName = errors.New("not part of a document's name")

// ParsePattern compiles a pattern whose variables are among the given names.
func ParsePattern(text string, variables []string) (*Pattern, error) {
	p := &Pattern{text: text}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, p.fault("it has no scheme; a document is file:///…, s3://… or http(s)://…")
	}
	p.scheme = scheme
	var err error
	switch scheme {
	case "file":
		err = p.parseFile(strings.TrimPrefix(rest, "localhost"))
	case "s3":
		err = p.parseS3(rest)
	case "http", "https":
		err = p.parseHTTP(rest)
	default:
		err = p.fault("unknown scheme %q; a document is file:///…, s3://… or http(s)://…", scheme)
	}
	if err == nil {
		err = p.split(variables)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// split cuts the text at its variables.
func (p *Pattern) split(variables []string) error {
	rest := p.text
	for rest != "" {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return p.fault("a closing brace has no opening one")
		}
		if literal != "" {
			p.parts = append(p.parts, part{literal: literal})
		}
		if !found {
			return nil
		}
		name, after, closed := strings.Cut(after, "}")
		if !closed {
			return p.fault("an opening brace has no closing one")
		}
		i := slices.Index(variables, name)
		if i < 0 {
			return p.fault("unknown variable {%s}; the path has %s", name, braced(variables))
		}
		p.parts = append(p.parts, part{variable: i})
		rest = after
	}
	return nil
}

// AppendURL appends the pattern's URL to dst, with the values in place of the variables:
// values[i] is that of the i-th name given to [ParsePattern]. On error, an [ErrName], it
// returns dst unchanged. dst and values are not retained.
func (p *Pattern) AppendURL(dst []byte, values [][]byte) ([]byte, error) {
	start := len(dst)
	for _, part := range p.parts {
		if part.literal != "" {
			dst = append(dst, part.literal...)
			continue
		}
		value := values[part.variable]
		if reason := refuse(value); reason != "" {
			return dst[:start], fmt.Errorf("cannot make a URL of %q: %w: %.100q %s", p.text, ErrName, value, reason)
		}
		if p.scheme == "s3" {
			dst = append(dst, value...)
		} else {
			dst = appendEscaped(dst, value)
		}
	}
	if reason := p.refuseURL(dst[start:]); reason != "" {
		return dst[:start], fmt.Errorf("cannot make a URL of %q: %w: %.100q %s", p.text, ErrName, dst[start:], reason)
	}
	return dst, nil
}

// Scheme returns file, s3, http or https.
func (p *Pattern) Scheme() string { return p.scheme }

// Host returns the bucket of an s3 pattern, and the host, with its port if there is one,
// of an HTTP pattern.
func (p *Pattern) Host() string { return p.host }

// Folder returns the folder that contains all documents of a file pattern, an absolute
// path.
func (p *Pattern) Folder() string { return p.folder }

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Uses reports whether the pattern contains the i-th variable given to [ParsePattern].
func (p *Pattern) Uses(i int) bool {
	return slices.ContainsFunc(p.parts, func(q part) bool { return q.literal == "" && q.variable == i })
}

func (p *Pattern) fault(format string, args ...any) error {
	return fmt.Errorf("cannot use document %q: %s", withoutQuery(p.text), fmt.Sprintf(format, args...))
}

func braced(names []string) string {
	if len(names) == 0 {
		return "no variables"
	}
	return "{" + strings.Join(names, "}, {") + "}"
}
