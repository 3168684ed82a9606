package load

import (
	"math"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/servertest"
)

// steady is a target with known latencies: nine of ten answers take 50 ms, the others
// 200 ms.
func steady() http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		delay := 50 * time.Millisecond
		if n.Add(1)%10 == 0 {
			delay = 200 * time.Millisecond
		}
		time.Sleep(delay)
		answerJSON(w, r)
	}
}

var wrkLine = regexp.MustCompile(`(?m)^\s+(50|75|90|99)%\s+([0-9.]+)(us|ms|s)$`)

// wrk measures the same load with an independent tool.
func wrk(t *testing.T, path, url string) map[float64]time.Duration {
	t.Helper()
	out, err := exec.Command(path, "-t1", "-c8", "-d1s", "--latency", url).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	found := map[float64]time.Duration{}
	for _, m := range wrkLine.FindAllStringSubmatch(string(out), -1) {
		p, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		d, err := time.ParseDuration(m[2] + m[3])
		if err != nil {
			t.Fatal(err)
		}
		found[p] = d
	}
	return found
}

// wrk and a closed loop measure the same percentiles of the same steady load, within the
// precision of wrk's three digits and of timers. Other work on the machine disturbs the
// two at different times, so one round in which they agree is enough.
func TestAgreesWithWrk(t *testing.T) {
	needsQuiet(t)
	path := servertest.Program(t, "wrk", "wrk")
	url := serve(t, steady())
	for range 10 {
		theirs := wrk(t, path, url)
		ours := mustRun(t, closedPlan(t, url, 8, time.Second))
		agree := true
		for _, percentile := range []float64{50, 75, 99} {
			a, b := ours.Latency.Percentile(percentile), theirs[percentile]
			t.Logf("p%g: %s, wrk %s", percentile, a, b)
			agree = agree && b > 0 && math.Abs(float64(a-b)) <= 0.05*float64(b)+float64(500*time.Microsecond)
		}
		if agree {
			return
		}
	}
	t.Error("the percentiles did not agree in any of ten rounds")
}
