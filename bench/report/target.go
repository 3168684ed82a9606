package report

import "strings"

// Target returns a URL as reports and messages may show it, with "…" in place of user name and password, query and
// fragment, which may be secret. The URL may have {holes} and need not be valid.
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
