package proxy_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/desynctest"
)

// TestDesync sends the request heads of http-desync-guardian, each with a body that is a second request to a server that
// reads the first one's framing differently. An upstream must see only what the gateway has read: complete requests with
// one framing, and none that the corpus classifies as severe.
func TestDesync(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	seen := map[string]int{}
	for _, c := range desynctest.Cases(t, "../testdata") {
		answers := sendAll(t, g.address, c.Head()+"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
		seen[c.Expected.Tier]++
		for _, raw := range u.takeAll() {
			checkFraming(t, c.Name, raw)
			if c.Expected.Tier == "Severe" && !strings.HasPrefix(raw, "GET /smuggled") {
				t.Errorf("%s is severe, but the upstream saw %q", c.Name, raw)
			}
		}
		if c.Expected.Tier == "Severe" && strings.HasPrefix(answers, "HTTP/1.1 2") {
			t.Errorf("%s is severe, but the answer is %.100q", c.Name, answers)
		}
	}
	if seen["Severe"] < 50 || len(seen) < 4 {
		t.Errorf("cases by tier: %v, want at least 50 severe ones and four tiers", seen)
	}
}

// sendAll sends raw, closes the sending side, and returns all answers.
func sendAll(t *testing.T, address, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, raw)
	_ = conn.(*net.TCPConn).CloseWrite()
	all, _ := io.ReadAll(conn)
	return string(all)
}

// checkFraming checks that a request has one framing at most and valid header names when it reaches the upstream, and that
// nothing follows it.
func checkFraming(t *testing.T, name, raw string) {
	t.Helper()
	framings := 0
	for _, line := range fields(raw) {
		field, _, ok := strings.Cut(line, ": ")
		if strings.EqualFold(field, "Content-Length") || strings.EqualFold(field, "Transfer-Encoding") {
			framings++
		}
		if !ok || strings.ContainsAny(field, " \t\x00") {
			t.Errorf("%s: the upstream saw %q", name, line)
		}
	}
	r := bufio.NewReader(bytes.NewReader([]byte(raw)))
	request, err := http.ReadRequest(r)
	if err != nil || framings > 1 {
		t.Errorf("%s: the upstream saw %q: %v", name, raw, err)
		return
	}
	_, err = io.Copy(io.Discard, request.Body)
	if rest, _ := io.ReadAll(r); err == nil && len(rest) > 0 {
		t.Errorf("%s: the upstream saw %q after the request", name, rest)
	}
}
