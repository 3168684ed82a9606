package main

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   428.06us  300.71us   9.45ms   92.30%
    Req/Sec   150.67k     9.00k  160.00k    65.00%
  Latency Distribution
     50%  380.00us
     75%  500.00us
     90%  700.00us
     99%    1.10ms
  300123 requests in 2.00s, 460.00MB read
  Socket errors: connect 0, read 3, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec: 150061.50
Transfer/sec:    230.00MB
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk(wrkOutput)
	want := turn{rate: 150061.5, p50: 380 * time.Microsecond, p99: 1100 * time.Microsecond, good: 300116, failed: 12}
	if err != nil || got != want {
		t.Errorf("parseWrk: %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("an output without a rate has one")
	}
}

// wrk takes whole seconds.
func TestWrkLength(t *testing.T) {
	f := func(length, want time.Duration) {
		t.Helper()
		o := options{length: length}
		if got := o.wrkLength(); got != want {
			t.Errorf("a turn of %s takes wrk %s, want %s", length, got, want)
		}
	}
	f(100*time.Millisecond, time.Second)
	f(1500*time.Millisecond, 2*time.Second)
	f(5*time.Second, 5*time.Second)
}

func TestMedianAndRatio(t *testing.T) {
	f := func(want float64, values ...float64) {
		t.Helper()
		if got := median(values); got != want {
			t.Errorf("the median of %v is %g, want %g", values, got, want)
		}
	}
	f(3, 5, 3, 1)
	f(2, 1, 3)
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
	a := &contestant{turns: []turn{{rate: 50}, {rate: 80}, {rate: 30}}}
	b := &contestant{turns: []turn{{rate: 100}, {rate: 100}, {rate: 100}}}
	if got := spread(a.ratios(b, rateOf)); got != "0.50 (0.30 … 0.80)" {
		t.Errorf("the ratio is %s, want 0.50 (0.30 … 0.80)", got)
	}
	if got := spread(a.ratios(b, serverOf)); got != "not measured" {
		t.Errorf("the ratio of nothing to nothing is %s", got)
	}
}

// Everybody has a turn in every round, and nobody is always first.
func TestTakeTurns(t *testing.T) {
	var order []string
	all := []*contestant{}
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, &contestant{name: name, run: func(context.Context) (turn, error) {
			order = append(order, name)
			return turn{rate: 1}, nil
		}})
	}
	if err := takeTurns(context.Background(), &options{rounds: 3}, all); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abcbcacab" {
		t.Errorf("the turns are %s", got)
	}
}

// The committed documents are what jobgate fills and what its rivals cut open.
func TestDocuments(t *testing.T) {
	folder := t.TempDir()
	if err := copyDocuments(folder); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(folder + "/document.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobdoc.Parse(document, nil); err != nil {
		t.Error(err)
	}
	before, after := cutPlaceholder(document)
	if !strings.HasSuffix(string(before), `"url":"`) || !strings.HasPrefix(string(after), `"}]}`) {
		t.Errorf("the document is cut into %q and %q", before, after)
	}
	if len(session) != 900 {
		t.Errorf("the session token has %d bytes, want 900", len(session))
	}
}

func TestConfigurations(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"jobgate.yaml", "nginx-file.conf", "nginx-proxy.conf"} {
		path, err := write(folder, name, name, settings{Folder: folder, Port: 1234, Admin: 1235, Upstream: 1236, Memory: "low", TLS: true, Connections: 10})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "<no value>") || !strings.Contains(string(text), "127.0.0.1:1234") {
			t.Errorf("%s is filled in as\n%s", name, text)
		}
	}
}

func TestRates(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(thousands(1234567.4), "1,234,567")
	f(thousands(999), "999")
	f(shortDuration(380e3), "380 µs")
	f(shortDuration(1.5e6), "1.50 ms")
	f(nanoseconds(35), "35 ns")
	f(nanoseconds(24400), "24.40 µs")
}

func TestTable(t *testing.T) {
	table := newTable("<name", "µs")
	table.add("a", "1")
	table.add("longer", "12345")
	want := "| name   |    µs |\n| ------ | ----: |\n| a      |     1 |\n| longer | 12345 |\n\n"
	if got := table.String(); got != want {
		t.Errorf("the table is\n%s, want\n%s", got, want)
	}
}
