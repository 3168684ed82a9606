package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/proxy"
)

// generated is a device's request, and the request that the upstream must see.
type generated struct {
	raw, method, target, body string
	fields                    []string // sorted
}

// word returns 1 to most random characters of an alphabet.
func word(r *rand.Rand, alphabet string, most int) string {
	var b strings.Builder
	for range 1 + r.IntN(most) {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// generate returns a random request. It states independently of the proxy's code which headers are forwarded.
func generate(r *rand.Rand) generated {
	g := generated{
		method: []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"}[r.IntN(7)],
		target: "/" + strings.ReplaceAll(word(r, "abcXYZ019-._~!$&'()*+,;=:@/", 20), "//", "/"),
	}
	if r.IntN(2) == 0 {
		g.target += "%" + []string{"2F", "2e", "20", "00", "C3%BC"}[r.IntN(5)] + "/../." + "?" + word(r, "ab=&%2?/:@", 10)
	}
	if strings.HasPrefix(g.target, "//") { // before "://", fasthttp parses it as an authority, and rejects an invalid one
		g.target = strings.ReplaceAll(g.target, "://", ":/")
	}
	lines := []string{"Host: gate"}
	own := []string{"X-Thing-Name: t1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: gate"}
	for range r.IntN(6) {
		name := "X-" + strings.ToUpper(word(r, "abc", 1)) + strings.ToLower(word(r, "def", 3))
		value := word(r, "abc ,;=\"xyz\xc3\xbc", 20)
		lines = append(lines, name+": "+value)
		own = append(own, name+": "+strings.Trim(value, " "))
	}
	for range r.IntN(4) {
		lines = append(lines, []string{
			"X-Thing-Name: victim", "x_thing_name: victim", "X-Forwarded-For: 6.6.6.6", "X_Forwarded_Host: victim", "Forwarded: for=6.6.6.6",
			"Te: trailers", "Upgrade: h2c", "Keep-Alive: timeout=1", "Proxy-Authorization: x", "Trailer: X-T", "HTTP2-Settings: x",
		}[r.IntN(11)])
	}
	if r.IntN(3) == 0 {
		lines = append(lines, "Connection: X-Once, keep-alive", "X-Once: gone", "Connection: x-twice", "X-Twice: gone")
	}
	g.frame(r, &lines, &own)
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	g.raw = g.method + " " + g.target + " HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + g.raw
	slices.Sort(own)
	g.fields = own
	return g
}

// frame gives a request no body, or one in either of HTTP's framings, which it puts into raw.
func (g *generated) frame(r *rand.Rand, lines, own *[]string) {
	g.body = strings.Repeat(word(r, "0123456789\r\n", 30), []int{0, 1, 300}[r.IntN(3)])
	switch {
	case r.IntN(2) == 0 && g.body != "":
		*lines, *own = append(*lines, "Transfer-Encoding: chunked"), append(*own, "Transfer-Encoding: chunked")
		for rest := g.body; rest != ""; {
			n := 1 + r.IntN(len(rest))
			g.raw += fmt.Sprintf("%x;e=1\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		g.raw += "0\r\n\r\n"
	case g.body != "":
		length := fmt.Sprintf("Content-Length: %d", len(g.body))
		*lines, *own, g.raw = append(*lines, length), append(*own, length), g.body
	case g.method == "POST" || g.method == "PUT" || g.method == "PATCH":
		*own = append(*own, "Content-Length: 0")
	}
}

// unframe returns the body of a raw request.
func unframe(t *testing.T, raw string) string {
	t.Helper()
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	if !strings.Contains(raw, "\r\nTransfer-Encoding: chunked\r\n") {
		return body
	}
	var all strings.Builder
	for r := bufio.NewReader(strings.NewReader(body)); ; {
		var n int
		if _, err := fmt.Fscanf(r, "%x\r\n", &n); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(r, chunk); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if n == 0 {
			return all.String()
		}
		all.Write(chunk[:n])
	}
}

// TestDifferential sends random requests over persistent connections, and checks that the upstream sees exactly what
// generate expects.
func TestDifferential(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, func(_ *proxy.Config, r *proxy.Request) { r.Identity = []byte("t1") }, u.url)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	answers := bufio.NewReader(conn)
	for range 2000 {
		want := generate(r)
		if _, err := io.WriteString(conn, want.raw); err != nil {
			t.Fatal(err)
		}
		a, err := readAnswer(answers, want.method)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("seed %d: %q: %v %d %s", seed, want.raw, err, a.StatusCode, a.body)
		}
		raw := u.only(t)
		line, _, _ := strings.Cut(raw, "\r\n")
		got := slices.DeleteFunc(fields(raw), func(f string) bool { return strings.HasPrefix(f, "Host: 127.0.0.1:") })
		slices.Sort(got)
		if line != want.method+" "+want.target+" HTTP/1.1" || !slices.Equal(got, want.fields) || unframe(t, raw) != want.body {
			t.Fatalf("seed %d: sent\n%q\nthe upstream saw\n%q\nwant fields\n%q", seed, want.raw, raw, want.fields)
		}
	}
	if n := u.connections.Load(); n != 1 {
		t.Errorf("%d connections to the upstream, want 1", n)
	}
}
