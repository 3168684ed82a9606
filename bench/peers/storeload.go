package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// storeTurn is what gateways did in one turn, beside what they achieved.
type storeTurn struct {
	gateways time.Duration      // their CPU time a request
	batch    float64            // requests in one statement
	refused  map[string]float64 // answers of the gateways that were not 2xx, by outcome
}

// load lets callers ask gateways at once, shared out evenly, and takes what a request costs the database and the gateways.
// scripts are wrk's, one a gateway; operation is what the gateways' metrics call the statements.
func (r *storeRun) load(ctx context.Context, gates []*jobsGate, callers int, operation string, scripts []string) (t turn, s storeTurn, err error) {
	statements, err := statementsOf(ctx, gates, operation)
	if err != nil {
		return t, s, err
	}
	refused, err := refusedBy(ctx, gates)
	if err != nil {
		return t, s, err
	}
	database, used := r.databaseCPU(), gatesCPU(gates)
	turns := make([]turn, len(gates))
	g, loading := errgroup.WithContext(ctx)
	for i, gate := range gates {
		g.Go(func() (err error) {
			o := *r.options
			o.connections = max(1, callers/len(gates))
			turns[i], err = wrk(loading, &o, local(gate.port, ""), scripts[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return t, s, err
	}
	database, used = r.databaseCPU()-database, gatesCPU(gates)-used
	for _, one := range turns {
		t.rate, t.good, t.failed = t.rate+one.rate, t.good+one.good, t.failed+one.failed
		t.p50, t.p99 = max(t.p50, one.p50), max(t.p99, one.p99) // the slowest gateway's
	}
	if t.good == 0 {
		return t, s, fmt.Errorf("no answer was right of %d", t.failed)
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
	t.server, s.gateways = database/time.Duration(t.good), used/time.Duration(t.good)
	s.batch = float64(t.good) / max(1, after-statements)
	return t, s, err
}

func (r *storeRun) databaseCPU() time.Duration {
	if r.db == nil {
		return 0
	}
	return r.db.cpu()
}

func gatesCPU(gates []*jobsGate) (total time.Duration) {
	for _, g := range gates {
		total += g.cpu()
	}
	return total
}

// statementsOf is how many statements of a kind gateways have sent, by their metrics; those of SQLite tell none.
func statementsOf(ctx context.Context, gates []*jobsGate, operation string) (float64, error) {
	by, err := counted(ctx, gates, `jobgate_store_duration_seconds_count\{operation="(`+operation+`)",[^}]*\}`)
	return by[operation], err
}

// refusedBy is how many requests gateways have answered without success, by outcome. What the load counts as wrong beyond
// them had no answer within wrk's time limit of 2 s.
func refusedBy(ctx context.Context, gates []*jobsGate) (map[string]float64, error) {
	by, err := counted(ctx, gates, `jobgate_request_duration_seconds_count\{outcome="([a-z_]+)",[^}]*\}`)
	delete(by, "ok")
	return by, err
}

// counted adds up gateways' counters that a pattern matches, by its group.
func counted(ctx context.Context, gates []*jobsGate, pattern string) (map[string]float64, error) {
	line := regexp.MustCompile(`(?m)^` + pattern + ` ([0-9.e+]+)$`)
	by := make(map[string]float64)
	for _, g := range gates {
		text, err := g.answer(ctx, local(g.admin, "/metrics"))
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
		fmt.Fprintf(&b, "%s,", luaString(body))
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

// timed asks the control plane for something some times, and returns the slowest.
func (g *jobsGate) timed(ctx context.Context, path string, times int) (slowest time.Duration, err error) {
	for range times {
		begun := time.Now()
		if err := g.call(ctx, http.MethodGet, path, nil, nil); err != nil {
			return 0, err
		}
		slowest = max(slowest, time.Since(begun))
	}
	return slowest, nil
}
