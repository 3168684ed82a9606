package config

import "testing"

// TestRoutes has a case for each rule on a route.
func TestRoutes(t *testing.T) {
	f := func(routes, want string) {
		t.Helper()
		if got := faultsOf(t, served+"presign: {allow: ['arn:aws:s3:::f/*']}\n"+roleA+"routes: ["+routes+"]", nil); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", routes, got, want)
		}
	}
	doc := "document: 'file:///d/x.json'"
	f("{path: /x, "+doc+"}", "")
	f("{path: '/things/{thingName}/jobs/{jobId}', document: 's3://docs/{jobId}.json'}", "")
	f("{"+doc+"}", `jobgate.yaml:5:10: routes[0].path: is missing; write path: /things/{thingName}/jobs/{jobId}/document`)
	f("{path: x, "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "x" does not begin with /`)
	f("{path: '/x?y', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/x?y" has a query or fragment; routes match the path only`)
	f("{path: '/a%20b', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/a%20b" is percent-encoded; write the characters themselves; requests are decoded once before they are compared`)
	f("{path: '/x{a}', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/x{a}" has the segment "x{a}"; a variable is a whole segment, {name}, of letters, digits and _`)
	f("{path: '/{a/{a}', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/{a/{a}" has the segment "{a"; a variable is a whole segment, {name}, of letters, digits and _`)
	f("{path: '/{}', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/{}" has the segment "{}"; a variable is a whole segment, {name}, of letters, digits and _`)
	f("{path: '/{a}/{a}', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/{a}/{a}" has {a} twice; give each variable a name of its own`)
	f("{path: '/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}', "+doc+"}", `jobgate.yaml:5:17: routes[0].path: "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}" is too long; use at most 24 segments and 8 variables`)
	f("{path: /x}", `jobgate.yaml:5:10: routes[0]: answers nothing; set document or fill: true`)
	f("{path: /x, fill: true, "+doc+"}", `jobgate.yaml:5:27: routes[0].fill: stands beside document; a route serves a document or fills the upstream's answer, not both`)
	f("{path: /x, fill: true, content_type: a/b}", `jobgate.yaml:5:47: routes[0].content_type: "a/b" has no effect with fill; the upstream says it`)
	f("{path: /x, unfilled: pass, "+doc+"}", `jobgate.yaml:5:31: routes[0].unfilled: "pass" has no effect without fill; set fill: true, or remove it`)
	f("{path: /x, content_type: json, "+doc+"}", `jobgate.yaml:5:35: routes[0].content_type: "json" is not a media type; allowed: type/subtype`)
	f("{path: /x, role: b, "+doc+"}", `jobgate.yaml:5:27: routes[0].role: "b" is not one of roles; allowed: a; did you mean "a"?`)
	f("{path: /x, role: a, expires: 13h, "+doc+"}", `jobgate.yaml:5:39: routes[0].expires: "13h" is longer than roles.a.max_expires; allowed: 60s..12h`)
	f("{path: /x, expires: 1s, "+doc+"}", `jobgate.yaml:5:30: routes[0].expires: "1s" is out of range; allowed: 60s..7d`)

	// Documents.
	const sources = "; allowed: file:///path, s3://bucket/key or http(s)://host/path"
	f("{path: /x, document: x.json}", `jobgate.yaml:5:31: routes[0].document: "x.json" is not a document's URL`+sources)
	f("{path: /x, document: 'ftp://h/x'}", `jobgate.yaml:5:31: routes[0].document: "ftp://h/x" is not a document's URL`+sources)
	f("{path: /x, document: 'file://x.json'}", `jobgate.yaml:5:31: routes[0].document: "file://x.json" is not an absolute file`+sources+`; write three slashes: file:///srv/jobgate/{jobId}.json`)
	f("{path: /x, document: 'file:///x.json'}", `jobgate.yaml:5:31: routes[0].document: "file:///x.json": it would open the whole file system; put the documents into a folder`)
	f("{path: /x, document: 's3://docs/a#b?c'}", "")
	f("{path: /x, document: 's3://docs'}", `jobgate.yaml:5:31: routes[0].document: "s3://docs" is not a bucket and a key`+sources)
	f("{path: '/{b}', document: 's3://{b}/x'}", `jobgate.yaml:5:35: routes[0].document: "s3://{b}/x" has a variable in its host or bucket`+sources+`; variables may stand in the path and the query only`)
	f("{path: '/{b}', document: 's3://docs/${b}'}", `jobgate.yaml:5:35: routes[0].document: "s3://docs/${b}" has a $ before a variable`+sources+`; write {jobId}, not ${jobId}`)
	f("{path: /x, document: 'http://u:secret@h/x'}", `jobgate.yaml:5:31: routes[0].document: "http://REDACTED@h/x" has no plain host`+sources+`; write http://host:port/path, without user or password`)
	f("{path: /x, document: 'http://h/x#y'}", `jobgate.yaml:5:31: routes[0].document: "http://h/x#y": a document's URL has no fragment`)
	f("{path: '/{jobId}', document: 's3://docs/{jobID}'}", `jobgate.yaml:5:39: routes[0].document: {jobID} is not a variable of the route's path; allowed: jobId; did you mean "jobId"?`)
	f("{path: '/{jobId}', document: 's3://docs/{jobId'}", `jobgate.yaml:5:39: routes[0].document: "s3://docs/{jobId" has an unmatched brace; write variables as {name}; write %7B and %7D for braces in a name`)
	f("{path: '/{jobId}', document: 's3://docs/jobId}'}", `jobgate.yaml:5:39: routes[0].document: "s3://docs/jobId}" has an unmatched brace; write variables as {name}; write %7B and %7D for braces in a name`)

	// Shadowed.
	f("{path: /x, "+doc+"}, {path: /x, "+doc+"}", `jobgate.yaml:5:59: routes[1].path: "/x" is never reached: /x (routes[0]) matches all of it first; put the narrower route first, or remove one`)
	f("{path: '/a/{b}', "+doc+"}, {path: /a/x, "+doc+"}", `jobgate.yaml:5:65: routes[1].path: "/a/x" is never reached: /a/{b} (routes[0]) matches all of it first; put the narrower route first, or remove one`)
	f("{path: /a/x, "+doc+"}, {path: '/a/{b}', "+doc+"}", "")
	f("{path: '/a/{b}', "+doc+"}, {path: '/{a}/b', "+doc+"}", "")
}

// TestRoutesBesideJobs: the paths of the IoT Jobs service match before all routes.
func TestRoutesBesideJobs(t *testing.T) {
	got := faultsOf(t, served+`jobs: {enabled: true}
routes:
  - {path: '/things/{t}/jobs/{j}', document: 'file:///d/x'}
  - {path: '/things/{t}/jobs/{j}/document', document: 'file:///d/x'}
`, nil)
	want := `jobgate.yaml:5:12: routes[0].path: "/things/{t}/jobs/{j}" is never reached: /things/{thingName}/jobs/{jobId} (the IoT Jobs service) matches all of it first; put the narrower route first, or remove one`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFillNeedsUpstream(t *testing.T) {
	got := faultsOf(t, "listen: 127.0.0.1:8080\npresign: {allow: ['arn:aws:s3:::f/*']}\nroutes: [{path: /x, fill: true}]", nil)
	if want := `jobgate.yaml:3:27: routes[0].fill: has no upstream whose answer it could fill; set upstream`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
