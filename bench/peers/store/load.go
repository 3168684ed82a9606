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

// storeTurn is what gateways did in one turn, beside what they achieved.
type storeTurn struct {
	gateways time.Duration      // their CPU time a request
	batch    float64            // requests in one statement
	refused  map[string]float64 // answers of the gateways that were not 2xx, by outcome
}

// load lets callers ask gateways at once, shared out evenly, and takes what a request costs the database and the gateways.
// scripts are wrk's, one a gateway; operation is what the gateways' metrics call the statements.
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
		t.P50, t.P99 = max(t.P50, one.P50), max(t.P99, one.P99) // the slowest gateway's
	}
	if t.Good == 0 {
		return t, s, fmt.Errorf("no answer was right of %d", t.Failed)
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

// statementsOf is how many statements of a kind gateways have sent, by their metrics; those of SQLite tell none.
func statementsOf(ctx context.Context, gates []*gate.Gate, operation string) (float64, error) {
	by, err := counted(ctx, gates, `jobgate_store_duration_seconds_count\{operation="(`+operation+`)",[^}]*\}`)
	return by[operation], err
}

// refusedBy is how many requests gateways have answered without success, by outcome. What the load counts as wrong beyond
// them had no answer within wrk's time limit of 2 s.
func refusedBy(ctx context.Context, gates []*gate.Gate) (map[string]float64, error) {
	by, err := counted(ctx, gates, `jobgate_request_duration_seconds_count\{outcome="([a-z_]+)",[^}]*\}`)
	delete(by, "ok")
	return by, err
}

// counted adds up gateways' counters that a pattern matches, by its group.
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

// The reports of an execution's life: it sets a timer, it goes on, it ends.
var lifeBodies = []string{
	`{"status":"IN_PROGRESS","statusDetails":{"step":"download"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"step":"install"}}`,
	`{"status":"SUCCEEDED","statusDetails":{"step":"done"}}`,
}

// lifeBlock is how many things are between two reports of one: more than there are callers, so that none overtakes.
const lifeBlock = 4096

// lifeScript is wrk's script for the reports of the things of a group from first on, below end, in the order of their
// lives; one thing after another by chance, as devices come. The requests are made beforehand; the load ends when there
// are no more.
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
