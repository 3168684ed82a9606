package gateway_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway"
)

// overloadedGate is a gate during overload.
type overloadedGate struct {
	admits, turns    bool
	requested, taken atomic.Int64 // turns requested, and turns not ended
}

func (g *overloadedGate) Admit() bool { return g.admits }
func (g *overloadedGate) Alert() bool { return true }

func (g *overloadedGate) Turn() (began time.Time, ok bool) {
	g.requested.Add(1)
	if g.turns {
		g.taken.Add(1)
	}
	return time.Time{}, g.turns
}

func (g *overloadedGate) EndTurn(time.Time) { g.taken.Add(-1) }

// shed returns how many requests were rejected for a reason.
func (g *testGateway) shed(reason string) float64 {
	g.t.Helper()
	families, err := g.metrics.Registry.Gather()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "jobgate_requests_shed_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// TestOverload checks that during overload, a document to be signed needs a turn, and that a request that gets none is
// answered 503 with Retry-After.
func TestOverload(t *testing.T) {
	const signed = `{"url":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/${thingName}/k}"}`
	f := func(name string, gate *overloadedGate, path string, status int, turns int64) {
		t.Helper()
		g := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Overload = gate })
		g.write("j1.json", signed)
		r := g.get(path)
		if r.StatusCode != status {
			t.Errorf("%s: %s, want %d: %s", name, r.Status, status, r.body)
		}
		if got := gate.requested.Load(); got != turns {
			t.Errorf("%s: %d turns were requested, want %d", name, got, turns)
		}
		if gate.taken.Load() != 0 {
			t.Errorf("%s: a turn was not ended", name)
		}
		if status != http.StatusServiceUnavailable {
			return
		}
		if r.Header.Get("Retry-After") == "" || strings.Contains(r.body, "X-Amz-Signature") {
			t.Errorf("%s: %v %s", name, r.Header, r.body)
		}
		if n := g.shed("overload"); n != 1 {
			t.Errorf("%s: %v rejections are counted, want 1", name, n)
		}
	}
	const j1 = "/things/thing-1/jobs/j1/document"
	f("a turn", &overloadedGate{admits: true, turns: true}, j1, 200, 1)
	f("no turn", &overloadedGate{admits: true}, j1, 503, 1)
	f("not admitted", &overloadedGate{turns: true}, j1, 503, 0)
	f("nothing to sign", &overloadedGate{admits: true}, "/elsewhere", 404, 0)
}
