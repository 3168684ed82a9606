package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"jobgate/cmd/jobgate/config/strictyaml"
	"jobgate/gateway/source"
)

var variablePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// Limits of the gateway's router.
const (
	maxSegments  = 24
	maxVariables = 8
)

// upstreams checks the base URLs.
func (v *validator) upstreams() {
	seen := map[string]int{}
	for i, u := range v.c.Upstream {
		key := fmt.Sprintf("upstream[%d]", i)
		if first, dup := seen[u]; dup && v.baseURL(key, u) {
			v.fault(key, fmt.Sprintf("%q repeats upstream[%d]", u, first), "", "write each upstream once")
		} else if v.baseURL(key, u) {
			seen[u] = i
		}
	}
}

// jobsPaths are the paths of the jobs' data plane. They match before any route.
var jobsPaths = []string{"/things/{thingName}/jobs", "/things/{thingName}/jobs/{jobId}"}

// routes checks each route, and that no earlier route shadows it.
func (v *validator) routes() {
	type earlier struct {
		key, path string
		segments  []string
	}
	var before []earlier
	if v.c.Jobs.Enabled {
		for _, p := range jobsPaths {
			before = append(before, earlier{"the IoT Jobs service", p, strings.Split(p, "/")})
		}
	}
	for i, r := range v.c.Routes {
		key := fmt.Sprintf("routes[%d]", i)
		segments, ok := v.path(key+".path", r.Path)
		v.answer(key, r, variablesOf(segments))
		v.role(key+".role", r.Role)
		if r.Expires > 0 {
			v.expires(key+".expires", or(r.Role, v.c.Presign.Role), r.Expires)
		} else if r.Role != "" {
			v.expires(key+".role", r.Role, v.c.Presign.Expires)
		}
		if !ok {
			continue
		}
		for _, e := range before {
			if covers(e.segments, segments) {
				v.fault(key+".path", fmt.Sprintf("%q is never reached: %s (%s) matches all of it first", r.Path, e.path, e.key), "", "put the narrower route first, or remove one")
				break
			}
		}
		before = append(before, earlier{key, r.Path, segments})
	}
}

// covers reports whether p matches every path that q matches.
func covers(p, q []string) bool {
	return slices.EqualFunc(p, q, func(a, b string) bool { return isVariable(a) || a == b })
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

func variablesOf(segments []string) []string {
	var names []string
	for _, s := range segments {
		if isVariable(s) {
			names = append(names, strings.Trim(s, "{}"))
		}
	}
	return names
}

// path checks a route's pattern and returns its segments.
func (v *validator) path(key, path string) (segments []string, ok bool) {
	bad := func(problem, fix string) ([]string, bool) {
		v.fault(key, fmt.Sprintf("%q %s", path, problem), "", fix)
		return segments, false
	}
	if path == "" {
		v.fault(key, "is missing", "", "write path: /things/{thingName}/jobs/{jobId}/document")
		return nil, false
	}
	if !strings.HasPrefix(path, "/") {
		return bad("does not begin with /", "")
	}
	if strings.ContainsAny(path, "?#") {
		return bad("has a query or fragment", "routes match the path only")
	}
	if strings.Contains(path, "%") {
		return bad("is percent-encoded", "write the characters themselves; requests are decoded once before they are compared")
	}
	segments = strings.Split(path, "/")
	var names []string
	for _, s := range segments {
		if !strings.ContainsAny(s, "{}") {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
		if len(name) != len(s)-2 || !variablePattern.MatchString(name) {
			return bad(fmt.Sprintf("has the segment %q", s), "a variable is a whole segment, {name}, of letters, digits and _")
		}
		if slices.Contains(names, name) {
			return bad(fmt.Sprintf("has {%s} twice", name), "give each variable a name of its own")
		}
		names = append(names, name)
	}
	if len(segments)-1 > maxSegments || len(names) > maxVariables {
		return bad("is too long", fmt.Sprintf("use at most %d segments and %d variables", maxSegments, maxVariables))
	}
	return segments, true
}

// answer checks the settings that determine the route's answer.
func (v *validator) answer(key string, r Route, variables []string) {
	switch {
	case r.Document != "" && r.Fill:
		v.fault(key+".fill", "stands beside document", "", "a route serves a document or fills the upstream's answer, not both")
	case r.Document == "" && !r.Fill:
		v.fault(key, "answers nothing", "", "set document or fill: true")
	case r.Fill && len(v.c.Upstream) == 0:
		v.fault(key+".fill", "has no upstream whose answer it could fill", "", "set upstream")
	case r.Document != "":
		v.document(key+".document", r.Document, variables)
	}
	if r.Unfilled == "pass" && !r.Fill {
		v.fault(key+".unfilled", `"pass" has no effect without fill`, "", "set fill: true, or remove it")
	}
	if r.ContentType != "" && r.Fill {
		v.fault(key+".content_type", fmt.Sprintf("%q has no effect with fill", r.ContentType), "", "the upstream says it")
	}
	if strings.ContainsAny(r.ContentType, "\r\n\x00") || r.ContentType != "" && !strings.Contains(r.ContentType, "/") {
		v.fault(key+".content_type", fmt.Sprintf("%q is not a media type", r.ContentType), "type/subtype", "")
	}
}

// document checks the URL of a template.
func (v *validator) document(key, document string, variables []string) {
	const want = "file:///path, s3://bucket/key or http(s)://host/path"
	bad := func(problem, fix string) {
		v.fault(key, fmt.Sprintf("%q %s", redactURL(document), problem), want, fix)
	}
	scheme, rest, found := strings.Cut(document, "://")
	if !found || !slices.Contains([]string{"file", "s3", "http", "https"}, scheme) {
		bad("is not a document's URL", "")
		return
	}
	host, path, _ := strings.Cut(rest, "/")
	switch {
	case strings.ContainsAny(host, "{}"):
		bad("has a variable in its host or bucket", "variables may stand in the path and the query only")
	case strings.Contains(document, "${"):
		bad("has a $ before a variable", "write {jobId}, not ${jobId}")
	case scheme == "file" && (host != "" && host != "localhost" || path == ""):
		bad("is not an absolute file", "write three slashes: file:///srv/jobgate/{jobId}.json")
	case scheme == "s3" && (!bucketPattern.MatchString(host) || path == ""):
		bad("is not a bucket and a key", "")
	case strings.HasPrefix(scheme, "http") && !isHost(scheme, host):
		bad("has no plain host", "write http://host:port/path, without user or password")
	default:
		v.documentVariables(key, document, variables)
		if _, err := source.ParsePattern(document, variables); err != nil {
			why := strings.TrimPrefix(err.Error(), "cannot use document ")
			v.fault(key, why, "", "")
		}
	}
}

func isHost(scheme, host string) bool {
	u, err := url.Parse(scheme + "://" + host)
	return err == nil && u.Hostname() != "" && u.User == nil
}

// documentVariables checks that each {name} in document is a variable of the route's path.
func (v *validator) documentVariables(key, document string, variables []string) {
	for rest := document; ; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return
		}
		end := strings.IndexByte(rest[open:], '}')
		if rest[open] == '}' || end < 0 {
			v.fault(key, fmt.Sprintf("%q has an unmatched brace", redactURL(document)), "", "write variables as {name}; write %7B and %7D for braces in a name")
			return
		}
		name := rest[open+1 : open+end]
		if !slices.Contains(variables, name) {
			v.fault(key, fmt.Sprintf("{%s} is not a variable of the route's path", name), strictyaml.OneOf(variables), strictyaml.DidYouMean(name, variables))
			return
		}
		rest = rest[open+end+1:]
	}
}
