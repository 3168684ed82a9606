package gateway_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway/metrics"
)

var update = flag.Bool("update", false, "write the tables of METRICS.md instead of comparing them")

var descPattern = regexp.MustCompile(`fqName: "(jobgate_[a-z_]+)", help: "([^"]*)".* variableLabels: \{([^}]*)\}`)

// TestMetricsTable compares the table of METRICS.md with what the code registers.
func TestMetricsTable(t *testing.T) {
	m := metrics.New("test", "test")
	descs := make(chan *prometheus.Desc, 1000)
	m.Registry.Describe(descs)
	close(descs)
	var rows []string
	for d := range descs {
		match := descPattern.FindStringSubmatch(d.String())
		if match == nil {
			continue // metrics of Go and the process
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", match[1], match[3], match[2]))
	}
	slices.Sort(rows)
	table := "| metric | labels | meaning |\n| --- | --- | --- |\n" + strings.Join(rows, "\n") + "\n"
	compareWithDocument(t, "metrics", table)
}

// compareWithDocument compares the text between METRICS.md's markers of that name with want. With -update it writes it.
func compareWithDocument(t *testing.T, name, want string) {
	t.Helper()
	const path = "METRICS.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok1 := strings.Cut(string(text), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("METRICS.md has no %s … %s", strings.TrimSpace(begin), end)
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("METRICS.md's table of %s differs from the code; update it with: go test ./gateway -run TestMetricsTable -update\n%s", name, want)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestURLsAreCountedOnce checks that each URL of an answer is counted either as signed or as reused.
func TestURLsAreCountedOnce(t *testing.T) {
	f := func(g *testGateway, signed, reused float64) {
		t.Helper()
		families, err := g.metrics.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			if family.GetName() == "jobgate_presigned_urls_total" {
				for _, m := range family.GetMetric() {
					got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
		if got["signed"] != signed || got["reused"] != reused {
			t.Errorf("counted %v, want signed %v, reused %v", got, signed, reused)
		}
	}
	g := newGateway(t, nil)
	g.write("v7.json", placeholder)
	g.at(time.Now())
	g.get("/things/t1/jobs/v7/document")
	f(g, 1, 0)
	for range 7 { // the last one caches the document
		g.get("/things/t2/jobs/v7/document")
	}
	f(g, 8, 0)
	for range 60 { // 55 copy it, the next one signs a shared copy, four share that
		g.get("/things/t2/jobs/v7/document")
	}
	f(g, 9, 59)

	g = newSidecar(t, nil)
	g.do("POST", "/render", strings.Repeat(placeholder+"\n", 3), "Host: localhost", "Content-Type: application/x-ndjson")
	f(g, 3, 0)
}
