package e2e_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"jobgate/gateway/servertest"
)

// TestLimits tests a gateway at its limits of connections and requests.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	arrived, leave := make(chan struct{}, 1), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-leave
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.text(`{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`))
	}))
	t.Cleanup(backend.Close)
	release := sync.OnceFunc(func() { close(leave) })
	t.Cleanup(release)
	g := s.serve(`
limits: {max_connections: 3, max_in_flight: 1, read_timeout: 1m}
upstream: ["` + backend.URL + `"]
routes:
  - {path: /doc, document: "file://$DIR/doc.json"}
  - {path: /fill, fill: true}
` + downloadRole)

	first := get(t, "http://"+g.devices+"/doc")
	first.noteSecrets()
	if a := get(t, first.document(t)["url"]); a.status != http.StatusOK || a.body != "bytes" {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	var slow sync.WaitGroup
	slow.Go(func() {
		a, err := ask(client, http.MethodGet, "http://"+g.devices+"/fill", "")
		if err != nil || a.status != http.StatusOK || !strings.Contains(a.body, "X-Amz-Signature=") {
			t.Errorf("the request in flight: %d %s %v", a.status, a.body, err)
		}
	})
	<-arrived
	const half, rest = "GET /doc HTTP/1.1\r\n", "Host: x\r\n\r\n"
	var halves [2]net.Conn // an idle connection would be closed for a new one
	for i := range halves {
		halves[i] = dial(t, g.devices)
		if _, err := io.WriteString(halves[i], half); err != nil {
			t.Fatal(err)
		}
	}
	servertest.Eventually(t, "all connections are in use", func() bool { return g.metric(`jobgate_connections{listener="listen",state="active"}`) == 3 })
	unavailable(t, "a connection over the limit", raw(t, g.devices, half+rest))
	if _, err := io.WriteString(halves[0], rest); err != nil {
		t.Fatal(err)
	}
	unavailable(t, "a request over the limit", readAnswer(halves[0]))
	release()
	slow.Wait()
	if in, conns := g.metric(`jobgate_requests_shed_total{reason="in_flight"}`), g.metric(`jobgate_requests_shed_total{reason="connections"}`); in != 1 || conns != 1 {
		t.Errorf("shed: %v in flight, %v connections, want 1 and 1", in, conns)
	}
	client.CloseIdleConnections()
	_, _ = halves[0].Close(), halves[1].Close()
	servertest.Eventually(t, "a connection is accepted again", func() bool { return get(t, "http://"+g.devices+"/doc").status == http.StatusOK })
}

// TestSlowClients checks clients that send their headers more slowly than limits.read_timeout allows. On a busy machine, a
// client may not have sent its bytes, or its next request, within the time-out. Then it tries again.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.file("doc.json", `{}`)
	g := s.serve(oneDocument + "limits: {read_timeout: 500ms}\n")
	f := func(what, sent string, want int) {
		t.Helper()
		servertest.Eventually(t, what+" is answered", func() bool {
			conn := dial(t, g.devices)
			_, _ = io.WriteString(conn, sent)
			a := readAnswer(conn)
			if a.status == 0 {
				return false
			}
			if a.status != want {
				t.Errorf("%s: %d %q, want %d", what, a.status, a.body, want)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the connection was not closed: %v", what, err)
			}
			return true
		})
	}
	f("half a header", "GET /doc HTTP/1.1\r\nHost: x\r\nX-Slow:", http.StatusRequestTimeout)
	f("half a request line", "GET /d", http.StatusRequestTimeout)
	conn := dial(t, g.devices) // an unsolicited answer might be taken for the answer to the next request
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("a silent connection got %q, %v before its end, want nothing", rest, err)
	}

	g = s.serve(oneDocument + "limits: {idle_timeout: 500ms, max_request_header: 1KiB}\n")
	f("a header that is too large", "GET /doc HTTP/1.1\r\nHost: x\r\nX-Big: "+strings.Repeat("x", 4096)+"\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge)

	// An idle connection is closed without an answer: an unsolicited answer might be taken for the answer to the next request.
	servertest.Eventually(t, "a connection is kept alive", func() bool {
		conn := dial(t, g.devices)
		answers := bufio.NewReader(conn)
		for range 2 {
			_, _ = io.WriteString(conn, "GET /doc HTTP/1.1\r\nHost: x\r\n\r\n")
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				return false
			}
			if res.StatusCode != http.StatusOK {
				t.Errorf("on a persistent connection: %d", res.StatusCode)
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}
		if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
			t.Errorf("an idle connection got %q, %v before its end, want nothing", rest, err)
		}
		return true
	})
}
