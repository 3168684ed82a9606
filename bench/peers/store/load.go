package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
)

// storeTurn holds the gateways' own figures of one turn.
type storeTurn struct {
	gateways time.Duration      // their CPU time a request
	batch    float64            // requests in one statement
	refused  map[string]float64 // answers other than 2xx, by outcome
}

// load runs wrk with callers connections, shared evenly among the gateways, and measures the cost of a request to the
// database and the gateways. scripts has wrk's script for each gateway; operation is the statements' label in metrics.
func (r *storeRun) load(ctx context.Context, gates []*gate.Gate, callers int, operation string, scripts []string) (t rounds.Turn, s storeTurn, err error) {
	statements, err := statementsOf(ctx, gates, operation)
	if err != nil {
		return t, s, err
	}
	refused, err := refusedBy(ctx, gates)
	if err != nil {
		return t, s, err
	}
	database, used := r.databaseCPU(), gatesCPU(gates)
	turns := make([]rounds.Turn, len(gates))
	g, loading := errgroup.WithContext(ctx)
	for i, gate := range gates {
		g.Go(func() (err error) {
			o := *r.Options
			o.Connections = max(1, callers/len(gates))
			turns[i], err = load.Wrk(loading, &o, process.URL(gate.Port, ""), scripts[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return t, s, err
	}
	database, used = r.databaseCPU()-database, gatesCPU(gates)-used
	for _, one := range turns {
		t.Rate, t.Good, t.Failed = t.Rate+one.Rate, t.Good+one.Good, t.Failed+one.Failed
		t.P50, t.P99 = max(t.P50, one.P50), max(t.P99, one.P99) // of the slowest gateway
	}
	if t.Good == 0 {
		return t, s, fmt.Errorf("all %d answers were wrong", t.Failed)
	}
	if s.refused, err = refusedBy(ctx, gates); err != nil {
		return t, s, err
	}
	for outcome, n := range refused {
		if s.refused[outcome] -= n; s.refused[outcome] == 0 {
			delete(s.refused, outcome)
		}
	}
	after, err := statementsOf(ctx, gates, operation)
	t.Server, s.gateways = database/time.Duration(t.Good), used/time.Duration(t.Good)
	s.batch = float64(t.Good) / max(1, after-statements)
	return t, s, err
}

func (r *storeRun) databaseCPU() time.Duration {
	if r.db == nil {
		return 0
	}
	return r.db.cpu()
}

func gatesCPU(gates []*gate.Gate) (total time.Duration) {
	for _, g := range gates {
		total += g.CPU()
	}
	return total
}

// statementsOf returns how many statements of an operation the gateways have sent, by their metrics. Gateways on SQLite
// have no such metric.
func statementsOf(ctx context.Context, gates []*gate.Gate, operation string) (float64, error) {
	by, err := counted(ctx, gates, `jobgate_store_duration_seconds_count\{operation="(`+operation+`)",[^}]*\}`)
	return by[operation], err
}

// refusedBy returns how many requests the gateways have answered without success, by outcome. Any further failures that
// the load counts are wrk's timeouts after 2 s.
func refusedBy(ctx context.Context, gates []*gate.Gate) (map[string]float64, error) {
	by, err := counted(ctx, gates, `jobgate_request_duration_seconds_count\{outcome="([a-z_]+)",[^}]*\}`)
	delete(by, "ok")
	return by, err
}

// counted adds up the gateways' counters that match a pattern, by the value of its group.
func counted(ctx context.Context, gates []*gate.Gate, pattern string) (map[string]float64, error) {
	line := regexp.MustCompile(`(?m)^` + pattern + ` ([0-9.e+]+)$`)
	by := make(map[string]float64)
	for _, g := range gates {
		text, err := g.Answer(ctx, process.URL(g.Admin, "/metrics"))
		if err != nil {
			return nil, err
		}
		for _, m := range line.FindAllSubmatch(text, -1) {
			n, err := strconv.ParseFloat(string(m[2]), 64)
			if err != nil {
				return nil, err
			}
			by[string(m[1])] += n
		}
	}
	return by, nil
}

// lifeBodies are the updates of one execution: it starts with a timer, continues and succeeds.
var lifeBodies = []string{
	`{"status":"IN_PROGRESS","statusDetails":{"step":"download"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"step":"install"}}`,
	`{"status":"SUCCEEDED","statusDetails":{"step":"done"}}`,
}

// lifeBlock is the number of other things between two updates of one thing. It exceeds the number of callers, so that
// updates of one thing cannot overtake each other.
const lifeBlock = 4096

// lifeScript returns wrk's script with the updates of a group's things from first up to, but not including, end. Each
// thing's updates are in order, and the things are in random order. The requests are built beforehand; the load ends
// after the last one.
func lifeScript(group string, n, first, end int, path string) string {
	random := rand.New(rand.NewPCG(1, uint64(first)))
	var b strings.Builder
	b.WriteString("local things = {")
	for _, i := range random.Perm(end - first) {
		fmt.Fprintf(&b, "%d,", first+i)
	}
	fmt.Fprintf(&b, "}\nlocal requests, block = {}, %d\nlocal bodies = {", lifeBlock)
	for _, body := range lifeBodies {
		fmt.Fprintf(&b, "%s,", load.LuaString(body))
	}
	fmt.Fprintf(&b, `}
init = function()
  for from = 1, #things, block do
    for _, body in ipairs(bodies) do
      for i = from, math.min(from + block - 1, #things) do
        requests[#requests + 1] = wrk.format("POST", string.format("/things/%s%%0%dd%s", things[i]), {["Content-Type"] = "application/json"}, body)
      end
    end
  end
end
local next = 0
request = function()
  if next == #requests - 1 then wrk.thread:stop() end
  next = math.min(next + 1, #requests)
  return requests[next]
end
`, group, len(strconv.Itoa(n-1)), path)
	return b.String()
}
