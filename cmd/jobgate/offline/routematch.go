package offline

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"jobgate/cmd/jobgate/config"
)

// variableValue matches the valid values of a path variable.
var variableValue = regexp.MustCompile(`^[A-Za-z0-9:_.-]{1,128}$`)

// matchRoute finds the first route that answers a request's path, and returns its variables.
func matchRoute(routes []config.Route, requestPath string, found **config.Route) (map[string]string, error) {
	requestPath, _, _ = strings.Cut(requestPath, "?")
	segments := strings.Split(requestPath, "/")
	for i := range routes {
		pattern := strings.Split(routes[i].Path, "/")
		if variables, ok := matchSegments(pattern, segments); ok {
			*found = &routes[i]
			return variables, nil
		}
	}
	return nil, fmt.Errorf("cannot fill for --path %q: no route matches it", requestPath)
}

func matchSegments(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	variables := map[string]string{}
	for i, want := range pattern {
		got, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, false
		}
		name, isVariable := strings.CutPrefix(want, "{")
		switch {
		case !isVariable && got != want:
			return nil, false
		case isVariable && (!variableValue.MatchString(got) || got == "." || got == ".."):
			return nil, false
		case isVariable:
			variables[strings.TrimSuffix(name, "}")] = got
		}
	}
	return variables, true
}

// routesFor returns the routes that may serve a document file: those whose document's last segment matches the file's name,
// or all routes if none does.
func routesFor(routes []config.Route, file string) []config.Route {
	var fit []config.Route
	for _, r := range routes {
		if r.Document != "" && nameMatches(r.Document, path.Base(file)) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return routes
	}
	return fit
}

// nameMatches reports whether the last segment of a route's document can become a file's name.
func nameMatches(document, name string) bool {
	scheme, rest, _ := strings.Cut(document, "://")
	if scheme == "http" || scheme == "https" {
		rest, _, _ = strings.Cut(rest, "?")
	}
	last := rest[strings.LastIndexByte(rest, '/')+1:]
	var pattern strings.Builder
	for {
		literal, after, more := strings.Cut(last, "{")
		if plain, err := url.PathUnescape(literal); err == nil && scheme != "s3" {
			literal = plain
		}
		pattern.WriteString(regexp.QuoteMeta(literal))
		if !more {
			break
		}
		_, last, _ = strings.Cut(after, "}")
		pattern.WriteString(`[A-Za-z0-9:_.-]{1,128}`)
	}
	matches, err := regexp.MatchString("^(?:"+pattern.String()+")$", name)
	return err == nil && matches
}
