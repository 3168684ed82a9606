package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
	"jobgate/presigner/miniotest"
)

// TestBadDocuments checks that a template that cannot be filled is answered 502 with the error and its position, in AWS's
// words where AWS has them, and without a part of the document.
func TestBadDocuments(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.serve(`
routes:
  - {path: "/{jobId}", document: "file://$DIR/{jobId}.json"}
  - {path: "/strict/{jobId}", document: "file://$DIR/{jobId}.json", strict: true}
limits: {max_document: 4KiB, max_rendered: 4KiB, max_placeholders: 3}
cache: {fresh: 0s, negative: 0s}
roles: {download: {arn: "` + downloadARN + `", allow: ["arn:aws:s3:::$BUCKET/firmware/*"]}}
presign: {role: download}
`)
	n := 0
	f := func(document, want string) {
		t.Helper()
		n++
		name := fmt.Sprintf("job-%d", n)
		s.file(name+".json", document)
		a := get(t, "http://"+g.devices+"/"+name)
		refused(t, document[:min(len(document), 80)], a, http.StatusBadGateway, want)
		if !strings.Contains(a.body, `"code":"InvalidJobDocument"`) {
			t.Errorf("the code is not InvalidJobDocument: %s", a.body)
		}
	}
	const url = "${aws:iot:s3-presigned-url:$S3/$BUCKET/firmware/"
	const upload = "${aws:iot:s3-presigned-url-upload:$S3/$BUCKET/logs/"
	f(strings.Repeat("x", 4097), "limits.max_document")
	f(`["`+strings.Repeat(url+"a}", 4)+`"]`, "limits.max_placeholders")
	f(`["`+strings.Repeat("x", 3800)+url+`a}`+url+`a}"]`, "limits.max_rendered")
	f("{\n  \"good\": \""+url+"a}\",\n  \"bad\": \""+url+"a", "line 3, column 11: One or more parameters or placeholders are not terminated.")
	f(`{"good": "`+url+`a}", "bad": "`+url+`b"}`, "One or more parameters or placeholders are not terminated.")
	f(`["${aws:iot:s3-presigned:x}"]`, "line 1, column 3: Unknown placeholder")
	f(`["`+upload+`${foo}}"]`, "Undefined placeholder, ${foo}, inside of presign url upload parameter")
	f(`["`+upload+`${jobId}${jobId}${jobId}}"]`, "The occurrence of local placeholder ${jobId} within S3 presigned url upload placeholder exceeds limit of 2.")
	f(`["${aws:iot:s3-presigned-url-upload:$S3/${jobId}/k}"]`, "S3 bucket name in presigned url upload is not allowed to contain any placeholders")
	f(`["`+upload+`${aws:iot:s3-presigned-url:x}}"]`, "${aws:iot:s3-presigned-url[...]} should not be the second layer pattern.")
	f(`["`+url+`${aws:iot:package:p:version:1:artifact:s3-presigned-url}}"]`, "${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder.")
	f(`["${aws:iot:package:p:version::attributes:a}"]`, "Empty package name and version name have to be used in pair.")
	f(`["${aws:iot:package:p:version:$null:attributes:a}"]`, "$null is not allowed to be referenced as a package version in job documents.")
	f(`["x${aws:iot:package:p:version:1:attributes}"]`, "The package version attribute placeholder for all attributes has to be a json value by itself")
	f(`["${aws:iot:package:p:version:1:attributes:a}"]`, "not resolved yet")
	f(`["${aws:iot:code-sign-signature:s3://us-east-1.b/k@v}"]`, "not resolved yet")
	f(`["${aws:iot:parameter:none}"]`, `"none" is not defined`)
	f(`["${aws:iot:s3-presigned-url:https://files.example.com/b/k}"]`, "Provided argument for presigned url is invalid")
	f(`["${aws:iot:s3-presigned-url:https://user:hunter2-secret@s3.amazonaws.com/b/k}"]`, "Provided argument for presigned url is invalid")
	f(`["${aws:iot:s3-presigned-url:$S3/$BUCKET/secret/k}"]`, "Not allowed to presign GET arn:aws:s3:::"+s.bucket+"/secret/k")
	f(`["`+upload+`${jobId}}"]`, "Not allowed to presign PUT")
	f(`["${thingName}", "`+url+`${thingName}}"]`, "${thingName}")
	logs.secret("hunter2-secret")

	s.file("strict.json", `["`+url+`${jobId}}"]`)
	refused(t, "strict", get(t, "http://"+g.devices+"/strict/strict"), http.StatusBadGateway, "Local placeholder, ${jobId}, is only valid inside of presign url upload")
	if a := get(t, "http://"+g.devices+"/strict"); a.status != http.StatusOK {
		t.Errorf("not strict: %d %s", a.status, a.body)
	}
}

// TestBrokenSources checks sources and upstreams whose answers are too large or incomplete.
func TestBrokenSources(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("giant.json", `"`+strings.Repeat("x", 5000)+`"`)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go answerHalf(server)
	backend := "http://" + server.Addr().String()
	g := s.serve(`
upstream: ["` + backend + `"]
routes:
  - {path: "/s3", document: "s3://$BUCKET/giant.json"}
  - {path: "/http/{jobId}", document: "` + backend + `/{jobId}"}
  - {path: "/fill/half", fill: true}
  - {path: "/fill/nothing", fill: true}
  - {path: "/fill/json", fill: true}
limits: {max_document: 4KiB, upstream_timeout: 10s}
` + downloadRole)
	f := func(path string, want int, text string) {
		t.Helper()
		refused(t, path, get(t, "http://"+g.devices+path), want, text)
	}
	f("/s3", http.StatusBadGateway, "limits.max_document")
	f("/http/giant", http.StatusBadGateway, "limits.max_document")
	f("/http/chunks", http.StatusBadGateway, "limits.max_document")
	f("/http/half", http.StatusServiceUnavailable, "does not answer")
	f("/http/nothing", http.StatusServiceUnavailable, "does not answer")
	f("/fill/half", http.StatusBadGateway, "upstream")
	f("/fill/nothing", http.StatusBadGateway, "upstream")
	f("/fill/json", http.StatusBadGateway, "not terminated")
}

// answerHalf runs a server whose answers are incomplete, too large, or endless.
func answerHalf(server net.Listener) {
	for {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			request := make([]byte, 4096)
			n, _ := conn.Read(request)
			const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			line, _, _ := strings.Cut(string(request[:n]), " HTTP/")
			switch line[strings.LastIndexByte(line, '/')+1:] {
			case "half":
				_, _ = fmt.Fprint(conn, ok, "Content-Length: 100\r\n\r\n", `{"url": "half of it`)
			case "giant":
				_, _ = fmt.Fprint(conn, ok, "Content-Length: 1000000000\r\n\r\n", strings.Repeat("x", 10_000))
			case "chunks":
				for _, _ = fmt.Fprint(conn, ok, "Transfer-Encoding: chunked\r\n\r\n"); err == nil; {
					_, err = fmt.Fprintf(conn, "1000\r\n%s\r\n", strings.Repeat("x", 0x1000))
				}
			case "json":
				const body = `{"url": "${aws:iot:s3-presigned-url:http`
				_, _ = fmt.Fprint(conn, ok, "Content-Length: ", len(body), "\r\n\r\n", body)
			}
		}()
	}
}

// TestHostilePaths requests files outside a route's folder, in every spelling of a request target.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const secret = "not for devices"
	logs.secret(secret)
	inside := filepath.Join(s.folder, "jobs")
	if err := os.MkdirAll(filepath.Join(inside, "j"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.file("secret.json", secret)
	gatetest.WriteFile(t, inside, "good.json", `{}`)
	if err := os.Symlink(filepath.Join(s.folder, "secret.json"), filepath.Join(inside, "link.json")); err != nil {
		t.Fatal(err)
	}
	g := s.serve(`
routes:
  - {path: "/things/{thingName}/jobs/{jobId}", document: "file://$DIR/jobs/{jobId}.json"}
  - {path: "/two/{thingName}/{jobId}", document: "file://$DIR/jobs/{thingName}/{jobId}.json"}
`)
	f := func(target string, want int) {
		t.Helper()
		a := raw(t, g.devices, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if want != http.StatusOK {
			refused(t, target, a, want, "")
		} else if a.status != want {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if strings.Contains(a.body, secret) {
			t.Errorf("%s: the answer contains the secret", target)
		}
	}
	const jobs = "/things/t/jobs/"
	f(jobs+"good", 200)
	f(jobs+"g%6fod", 200)
	f("http://elsewhere.example"+jobs+"good", 200)
	f("/things/a%2f..%2fb/jobs/good", 400)
	for _, job := range []string{
		"..%2fsecret", "..%2Fsecret", "%2e%2e%2fsecret", "..%5csecret", "..%252fsecret", "..", ".", "%2e%2e", "good%00", "good%0d%0aX-Evil:%201",
		"secret%ff", "%c0%ae%c0%ae%c0%afsecret", "", "a%20b", "%7bjobId%7d", "good;x", "good,x", "~", "*", strings.Repeat("x", 129),
	} {
		f(jobs+job, 400)
	}
	f(jobs+strings.Repeat("x", 128), 404)
	f(jobs+"link", 404)
	f(jobs+"..secret", 404)
	f("/two/../secret", 400)
	f("/two/j/..%2f..%2fsecret", 400)
	for _, target := range []string{jobs + "../../../secret", jobs + "x/../good", "//things/t/jobs/good", "/things//t/jobs/good", "/%", jobs + "%zz", jobs + "good/", jobs + "%2e%2e/secret", "/" + strings.Repeat("a/", 100)} {
		f(target, 404)
	}
	for _, request := range []string{"GET " + jobs + "good", "GET " + jobs + "good HTTP/1.1\r\n\r\n", "GET " + jobs + "good HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"} {
		conn := dial(t, g.devices)
		_, _ = fmt.Fprint(conn, request)
		_ = conn.(*net.TCPConn).CloseWrite()
		if a := readAnswer(conn); a.status/100 == 2 {
			t.Errorf("%q is answered %d %s", request, a.status, a.body)
		}
	}
	if a := do(t, http.MethodPut, "http://"+g.devices+jobs+"good", "{}"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("PUT: %d %v", a.status, a.header)
	}
	if n := g.metric("jobgate_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// TestSecretsStayInside makes everything that uses secrets fail, at the most verbose log level. The journal has the
// session's key and token, which must not be in any log.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	s.file("wrong.json", `["${aws:iot:s3-presigned-url-v2:$S3/$BUCKET/fw.bin?X-Amz-Signature=0123456789abcdef&a=b}"]`)
	const config = `
routes:
  - {path: "/s3/{jobId}", document: "s3://$BUCKET/{jobId}.json", content_type: application/json}
  - {path: /wrong, document: "file://$DIR/wrong.json"}
roles:
  download: {arn: "` + downloadARN + `", external_id: external-id-of-a-customer}
cache: {role: download}
limits: {upstream_timeout: 5s}
presign: {role: download}
`
	logs.secret("external-id-of-a-customer", "a-wrong-key-is-a-secret-too")
	sts := newTap(t, s.proxy)
	close(sts.open)
	g := s.serve(config, sts.env())
	base := "http://" + g.devices
	url := get(t, base+"/s3/doc").document(t)["url"]
	refused(t, "a URL that is already signed", get(t, base+"/wrong"), http.StatusBadGateway, "")
	// A device sends its URL to the wrong server.
	refused(t, "a presigned query", get(t, base+"/fw.bin?"+strings.SplitN(url, "?", 2)[1]), http.StatusNotFound, "")
	for i, faults := range []miniotest.Faults{
		{S3: miniotest.Fault{Outage: miniotest.Reset}}, {S3: miniotest.Fault{Outage: miniotest.Unavailable}}, {S3: miniotest.Fault{Outage: miniotest.Throttled}},
	} {
		s.proxy.Inject(faults)
		unavailable(t, fmt.Sprintf("%+v", faults), get(t, fmt.Sprint(base, "/s3/", i)))
	}
	s.proxy.Inject(miniotest.Faults{})
	// If the key is wrong, STS's error quotes the string to sign.
	wrong := s.serve(config, "AWS_SECRET_ACCESS_KEY=a-wrong-key-is-a-secret-too")
	unavailable(t, "with a wrong key", get(t, "http://"+wrong.devices+"/s3/doc"))
	servertest.Eventually(t, "the log has the error of STS", func() bool { return strings.Contains(wrong.Log.String(), "signature we calculated does not match") })
	for _, shown := range []answer{get(t, "http://"+g.admin+"/config"), get(t, "http://"+g.admin+"/readyz"), get(t, "http://"+wrong.admin+"/readyz"), get(t, "http://"+g.admin+"/metrics")} {
		if held := logs.held(shown.body); len(held) > 0 || shown.body == "" {
			t.Errorf("an operator's page is empty or contains the secrets %q: %s", held, shown.body)
		}
	}
}
