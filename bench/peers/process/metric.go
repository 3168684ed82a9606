package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Metric gets a metric from a jobgate's admin listener: the sum of the series that have all of the labels, each given in
// the form state="parked".
func Metric(ctx context.Context, admin int, name string, labels ...string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, URL(admin, "/metrics"), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	return sumOf(string(text), name, labels)
}

// sumOf is Metric for the text of all metrics.
func sumOf(text, name string, labels []string) (sum float64, err error) {
	known := false
next:
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if rest, ok := strings.CutPrefix(series, name); !ok || rest != "" && rest[0] != '{' {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue next
			}
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		sum, known = sum+n, true
	}
	if !known {
		return 0, fmt.Errorf("no metric %q with labels %q", name, labels)
	}
	return sum, nil
}
