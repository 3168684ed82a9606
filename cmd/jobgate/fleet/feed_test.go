package fleet_test

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var lagMetric = regexp.MustCompile(`(?m)^jobgate_feed_lag_seconds ([0-9.e+-]+)$`)

// TestFeedLag keeps another program's transaction open, which hides later changes from all gateways. The metric must grow,
// and fall when the transaction ends.
func TestFeedLag(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 1, url, url)
	things := f.job("lag", 1)
	foreign, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Close(context.Background()) }()
	if _, err := foreign.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	until := func(what string, ok func(lag float64) bool) {
		t.Helper()
		var lag float64
		for deadline := time.Now().Add(20*time.Second + grace); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			admin := f.gateways[0].at("admin")
			_, body, _ := get("http://" + admin + "/metrics")
			m := lagMetric.FindStringSubmatch(body)
			if m == nil {
				t.Fatalf("the metrics have no lag: %d bytes", len(body))
			}
			if lag, err = strconv.ParseFloat(m[1], 64); err != nil {
				t.Fatal(err)
			}
			if ok(lag) {
				return
			}
		}
		t.Fatalf("%s: the lag is %v s", what, lag)
	}
	for deadline := time.Now().Add(20*time.Second + grace); ; time.Sleep(50 * time.Millisecond) {
		status, body, _ := f.post(things[0], "lag", `{"status":"IN_PROGRESS"}`)
		if status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s", status, body)
		}
	}
	until("while a transaction is open", func(lag float64) bool { return lag > 3 })
	if _, err := foreign.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	until("after the transaction", func(lag float64) bool { return lag < 2 })
}
