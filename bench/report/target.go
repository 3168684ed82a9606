package report

import "strings"

// Target returns a URL as reports and messages may show it: without a user's name and password, and without what its
// query and fragment say, which may be tokens. What is left out is marked by "…". The URL may have {holes}, and need not
// be one.
func Target(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path := rest[:end], rest[end:]
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = "…" + host[i:]
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 && i+1 < len(path) {
		path = path[:i+1] + "…"
	}
	return scheme + host + path
}
