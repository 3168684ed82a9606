package gateway_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"jobgate/gateway"
)

// crowdedGate is a gate in an overload.
type crowdedGate struct {
	admits, turns bool
	asked, taken  atomic.Int64 // turns
}

func (g *crowdedGate) Admit() bool { return g.admits }
func (g *crowdedGate) Alert() bool { return true }
func (g *crowdedGate) EndTurn()    { g.taken.Add(-1) }

func (g *crowdedGate) Turn() bool {
	g.asked.Add(1)
	if g.turns {
		g.taken.Add(1)
	}
	return g.turns
}

// TestOverload: in an overload, a document that is signed needs a turn; without one, the request is told to come back.
func TestOverload(t *testing.T) {
	const signed = `{"url":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/${thingName}/k}"}`
	f := func(name string, gate *crowdedGate, path string, status int, turns int64) {
		t.Helper()
		g := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Overload = gate })
		g.write("j1.json", signed)
		r := g.get(path)
		if r.StatusCode != status {
			t.Errorf("%s: %s, want %d: %s", name, r.Status, status, r.body)
		}
		if got := gate.asked.Load(); got != turns {
			t.Errorf("%s: asked for %d turns, want %d", name, got, turns)
		}
		if gate.taken.Load() != 0 {
			t.Errorf("%s: a turn does not end", name)
		}
		if status != http.StatusServiceUnavailable {
			return
		}
		if r.Header.Get("Retry-After") == "" || strings.Contains(r.body, "X-Amz-Signature") {
			t.Errorf("%s: %v %s", name, r.Header, r.body)
		}
		var shed dto.Metric
		if err := g.metrics.Edge.Shed.WithLabelValues("overload").Write(&shed); err != nil || shed.GetCounter().GetValue() != 1 {
			t.Errorf("%s: counted %v, want 1 (%v)", name, shed.GetCounter().GetValue(), err)
		}
	}
	const j1 = "/things/thing-1/jobs/j1/document"
	f("a turn", &crowdedGate{admits: true, turns: true}, j1, 200, 1)
	f("no turn", &crowdedGate{admits: true}, j1, 503, 1)
	f("not let in", &crowdedGate{turns: true}, j1, 503, 0)
	f("nothing to sign", &crowdedGate{admits: true}, "/elsewhere", 404, 0)
}
