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

// Metric asks a jobgate's admin listener for the sum of a metric's series that have all of these labels, each as
// state="parked".
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

// sumOf is Metric in the text of all metrics.
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
		return 0, fmt.Errorf("there is no metric %q with %q", name, labels)
	}
	return sum, nil
}
