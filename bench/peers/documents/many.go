package documents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// documentNumbers are the numbers of documents of Many's servers.
var documentNumbers = []int{1, 100, 10_000, 100_000}

// settleLoads is the time from the last load to the measurement. jobgate runs a garbage collection at most every 20 s.
const settleLoads = 30 * time.Second

// random is wrk's script that requests random documents. The requests are built beforehand, as in load.DeviceDocuments.
const random = `
local requests = {}
init = function()
  math.randomseed(os.time())
  for i = 1, %d do requests[i] = wrk.format("GET", string.format("/many/job-%%06d", i)) end
end
request = function() return requests[math.random(#requests)] end
`

// library is a jobgate with a number of documents, each requested once already.
type library struct {
	server.Endpoint
	admin, number int
	empty, full   int64   // resident bytes before the first request, and with all documents loaded
	allocated     float64 // allocations in all turns
	*rounds.Contestant
}

// Many requests random documents from servers with few or many of them. It measures the CPU time and allocations of a
// request, and the process's memory compared with the cache's own count.
//
//	write 100,000 files ─▶ a server for each number of documents, each loaded once ─▶ turns ─▶ memory, CPU time, allocations
func Many(ctx context.Context, o *setup.Options) error {
	folder := filepath.Join(o.Folder, "many")
	if err := writeDocuments(folder, documentNumbers[len(documentNumbers)-1]); err != nil {
		return err
	}
	programs := []string{o.Jobgate}
	if o.Before != "" {
		programs = []string{o.Before, o.Jobgate}
	}
	var all []*library
	defer func() {
		for _, l := range all {
			l.Stop()
		}
	}()
	for _, number := range documentNumbers {
		for _, program := range programs {
			l, err := startLibrary(ctx, o, program, folder, number)
			if l != nil {
				all = append(all, l)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := process.Sleep(ctx, settleLoads); err != nil {
		return err
	}
	for _, l := range all {
		l.full = l.RSS()
	}
	return measureDocuments(ctx, o, all)
}

// measureDocuments runs the turns of all servers and prints the results.
func measureDocuments(ctx context.Context, o *setup.Options, all []*library) error {
	var turns []*rounds.Contestant
	for _, l := range all {
		turns = append(turns, l.Contestant)
	}
	if err := rounds.Take(ctx, o, turns); err != nil {
		return err
	}
	fmt.Printf("## Documents requested at random\n\nEach was requested once beforehand; server on core %d, wrk -t1 -c%d on core %d, %s a turn.\n\n", o.ServerCore, o.Connections, o.LoadCore, o.Length)
	t := table.New("<server", "documents", "requests/s", "server's CPU a request", "to that of 100", "<goal", "allocations a request", "resident growth", "the cache says", "ratio", "<goal", "growth after the turns")
	for _, l := range all {
		hundred := l
		for _, other := range all {
			if other.Name == l.Name && other.number == 100 {
				hundred = other
			}
		}
		cache, err := process.Metric(ctx, l.admin, "jobgate_cache_bytes")
		if err != nil {
			return err
		}
		goal, held := "", ""
		if l.number == 100_000 {
			goal, held = "≤ 1.4", "≤ 1.5"
		}
		t.Add(l.Name, table.Thousands(float64(l.number)), table.Thousands(rounds.Median(l.Of(rounds.RateOf))), table.Microseconds(rounds.Median(l.Of(rounds.ServerOf))),
			rounds.Spread(l.Ratios(hundred.Contestant, rounds.ServerOf)), goal, fmt.Sprintf("%.2f", l.allocated/rounds.Sum(l.Of(rounds.GoodOf))),
			table.InMegabytes(l.full-l.empty), table.InMegabytes(int64(cache)), fmt.Sprintf("%.2f", float64(l.full-l.empty)/cache), held, table.InMegabytes(l.RSS()-l.empty))
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; ratios within each round. Resident growth is from before the first request to %s after the last document was loaded.\n\n", o.Rounds, settleLoads)
	return nil
}

// writeDocuments writes n documents, which differ in the object of their URL.
func writeDocuments(folder string, n int) error {
	text, err := server.Document("document.json")
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("job-%06d", i)
		if err := os.WriteFile(filepath.Join(folder, name+".json"), bytes.ReplaceAll(text, []byte("v7"), []byte(name)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// startLibrary starts a jobgate and loads number documents.
func startLibrary(ctx context.Context, o *setup.Options, program, folder string, number int) (*library, error) {
	admin, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	own := *o
	own.Jobgate = program
	p, port, err := server.StartJobgate(&own, o.ServerCore, server.Settings{Documents: folder, Admin: admin})
	if err != nil {
		return nil, err
	}
	l := &library{Endpoint: server.Endpoint{Process: p, Port: port}, admin: admin, number: number}
	if err := process.Listens(ctx, port); err != nil {
		return l, err
	}
	name := "jobgate"
	if o.Before != "" && program == o.Before {
		name = "jobgate, before"
	}
	script := fmt.Sprintf(random, number)
	l.Contestant = &rounds.Contestant{Name: name, Server: p, Run: func(ctx context.Context) (rounds.Turn, error) {
		before, err := process.Metric(ctx, l.admin, "go_memstats_mallocs_total")
		if err != nil {
			return rounds.Turn{}, err
		}
		t, err := load.Wrk(ctx, o, process.URL(port, "/"), script)
		if err != nil {
			return rounds.Turn{}, err
		}
		after, err := process.Metric(ctx, l.admin, "go_memstats_mallocs_total")
		l.allocated += after - before
		return t, err
	}}
	l.empty = p.RSS()
	o.Progress("%s: %d documents", name, number)
	return l, l.loadAll(ctx)
}

// loadAll requests each document once.
func (l *library) loadAll(ctx context.Context) error {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	numbers, errs := make(chan int), make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for n := range numbers {
				if _, err := get(ctx, &client, process.URL(l.Port, fmt.Sprintf("/many/job-%06d", n))); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for n := 1; n <= l.number; n++ {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	return errors.Join(errs...)
}

// get returns the answer of url.
func get(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return string(body), err
}
