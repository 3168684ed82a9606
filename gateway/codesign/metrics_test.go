package codesign

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var update = flag.Bool("update", false, "write the table of metrics instead of comparing it")

var descPattern = regexp.MustCompile(`fqName: "(jobgate_[a-z_]+)", help: "([^"]*)".* variableLabels: \{([^}]*)\}`)

// TestMetricsTable compares the table of metrics in CODESIGN.md with what the code registers.
func TestMetricsTable(t *testing.T) {
	descs := make(chan *prometheus.Desc, 100)
	NewMeter().Describe(descs)
	close(descs)
	var rows []string
	for d := range descs {
		m := descPattern.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot parse %s", d)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", m[1], m[3], m[2]))
	}
	slices.Sort(rows)
	want := "| metric | labels | meaning |\n| --- | --- | --- |\n" + strings.Join(rows, "\n") + "\n"
	const page, begin, end = "CODESIGN.md", "<!-- metrics -->\n", "<!-- /metrics -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), begin)
	got, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no %s … %s", page, strings.TrimSpace(begin), end)
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the table differs from the code; write it with: go test ./gateway/codesign -run TestMetricsTable -update\n%s", want)
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The Meter counts a Signer's work.
func TestMeter(t *testing.T) {
	m := NewMeter()
	count := m.Metrics()
	count.Signature(Made)
	count.Signature(Failed)
	count.Read(9, 0)
	for what, counter := range map[string]prometheus.Collector{"made": m.outcomes[Made], "failed": m.outcomes[Failed]} {
		if n := testutil.ToFloat64(counter); n != 1 {
			t.Errorf("%s: %v", what, n)
		}
	}
	if n := testutil.ToFloat64(m.outcomes[Reused]) + testutil.ToFloat64(m.bytes); n != 9 {
		t.Errorf("reused and bytes: %v", n)
	}
	if err := prometheus.NewRegistry().Register(m); err != nil {
		t.Error(err)
	}
}
