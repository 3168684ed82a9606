package gateway_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway"
)

var update = flag.Bool("update", false, "write the README's tables instead of comparing them")

var descPattern = regexp.MustCompile(`fqName: "(jobgate_[a-z_]+)", help: "([^"]*)".* variableLabels: \{([^}]*)\}`)

// TestMetricsTable compares the README's table of metrics with what the code registers.
func TestMetricsTable(t *testing.T) {
	m := gateway.NewMetrics("test", "test")
	descs := make(chan *prometheus.Desc, 1000)
	m.Registry.Describe(descs)
	close(descs)
	var rows []string
	for d := range descs {
		match := descPattern.FindStringSubmatch(d.String())
		if match == nil {
			continue // Go's and the process's own
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", match[1], match[3], match[2]))
	}
	slices.Sort(rows)
	table := "| metric | labels | meaning |\n| --- | --- | --- |\n" + strings.Join(rows, "\n") + "\n"
	compareWithREADME(t, "metrics", table)
}

// compareWithREADME compares, or with -update writes, what stands between the README's
// markers of that name.
func compareWithREADME(t *testing.T, name, want string) {
	t.Helper()
	const path = "../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok1 := strings.Cut(string(readme), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("the README has no %s … %s", strings.TrimSpace(begin), end)
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the README's table of %s is not the code's; write it with: go test ./gateway -run TestMetricsTable -update\n%s", name, want)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
