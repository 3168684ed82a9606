package mqtt

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/table"
	"jobgate/gateway/jobs/postgres/pgtest"
)

const (
	fileRate     = 1000 // jobs a second on SQLite
	databaseRate = 200  // on PostgreSQL
	creators     = 64   // calls at once
	noticeLimit  = 10   // seconds after the last call; a device not notified by then counts as missing
	databaseName = "postgres"
)

// startDatabase starts a PostgreSQL with the things, on the server's core.
func (r *run) startDatabase(ctx context.Context) (*pgtest.Server, error) {
	db, err := pgtest.Start(r.Folder, false)
	if err != nil {
		return nil, fmt.Errorf("cannot start PostgreSQL (Debian package postgresql): %w", err)
	}
	db.Stop(syscall.SIGINT)
	db.Core = strconv.Itoa(r.ServerCore)
	if err = db.Run(); err == nil {
		err = r.copyStore(ctx, db.URL(databaseName))
	}
	if err != nil {
		db.Remove()
		return nil, err
	}
	return db, nil
}

// delay creates jobs, each for a different device, and measures when each device is notified.
func (r *run) delay(ctx context.Context) error {
	g, err := r.start(ctx, server.Settings{})
	if err != nil {
		return err
	}
	defer g.Stop()
	fmt.Printf("## From CreateJob to the notice: SQLite\n\nGateway on core %d; calls and devices on core %d.\n\n", r.ServerCore, r.LoadCore)
	return r.delayed(ctx, fileRate, "p99 ≤ 200 ms", g, g)
}

// gateways is delay with the devices on another gateway than the one that creates the jobs.
func (r *run) gateways(ctx context.Context) error {
	db, err := r.startDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Remove()
	a, err := r.start(ctx, server.Settings{Store: db.URL(databaseName)})
	if err != nil {
		return err
	}
	defer a.Stop()
	b, err := r.start(ctx, server.Settings{Store: db.URL(databaseName)})
	if err != nil {
		return err
	}
	defer b.Stop()
	fmt.Printf("## From CreateJob on one gateway to the notice by another: PostgreSQL\n\nPostgreSQL and both gateways on core %d; calls and devices on core %d.\n\n", r.ServerCore, r.LoadCore)
	return r.delayed(ctx, databaseRate, "p99 ≤ 1 s", a, b)
}

// delayed measures and prints the delays. The gateway control creates the jobs, and the devices are connected to notifier.
func (r *run) delayed(ctx context.Context, rate int, goal string, control, notifier *gate.Gate) error {
	_, each := r.processes()
	n := min(each, int(float64(rate)*r.Length.Seconds()))
	devices, err := r.holdAll(ctx, []int{notifier.MQTT}, n, false)
	if err != nil {
		return err
	}
	defer devices.stop()
	defer r.pin()()
	var got []delays
	for round := range r.Rounds {
		one, err := r.delaysOf(ctx, control, devices, fmt.Sprintf("delay-%d-", round), n, rate)
		if err != nil {
			return err
		}
		r.Progress("%.0f/s, from the call %s, %s, from its answer %s, %s", one.rate, table.ShortDuration(one.call50), table.ShortDuration(one.call99),
			table.ShortDuration(one.answer50), table.ShortDuration(one.answer99))
		got = append(got, one)
	}
	of := func(f func(delays) float64) (all []float64) {
		for _, d := range got {
			all = append(all, f(d))
		}
		return all
	}
	t := table.New("jobs, each for one thing", "a second", "<to notify-next", "p50 (lowest … highest)", "p99", "<goal", "not told")
	created, missing := table.Thousands(rounds.Median(of(func(d delays) float64 { return d.rate }))), fmt.Sprint(rounds.Sum(of(func(d delays) float64 { return d.missing })))
	t.Add(table.Thousands(float64(n)), created, "from CreateJob's answer, which follows the commit", middle(of(func(d delays) float64 { return d.answer50 })), middle(of(func(d delays) float64 { return d.answer99 })), goal, missing)
	t.Add("", "", "from the call, commit included", middle(of(func(d delays) float64 { return d.call50 })), middle(of(func(d delays) float64 { return d.call99 })), "", "")
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds.\n\n", r.Rounds)
	return nil
}

// delays are the results of one round, in nanoseconds.
type delays struct {
	rate                               float64 // jobs a second
	call50, call99, answer50, answer99 float64
	missing                            float64 // devices that were not notified
}

// delaysOf creates a job for each of n devices, measures the delays and cancels the jobs.
func (r *run) delaysOf(ctx context.Context, g *gate.Gate, devices holders, prefix string, n, rate int) (d delays, err error) {
	if err := devices.expect(prefix); err != nil {
		return d, err
	}
	begun := time.Now()
	calls, err := r.create(ctx, g, prefix, n, rate)
	if err != nil {
		return d, err
	}
	d.rate = float64(n) / time.Since(begun).Seconds()
	at, err := devices.collect(noticeLimit)
	if err != nil {
		return d, err
	}
	var fromCall, fromAnswer []float64
	for i, notified := range at {
		if notified == 0 {
			d.missing++
			continue
		}
		fromCall = append(fromCall, float64(notified-calls[i].sent))
		fromAnswer = append(fromAnswer, max(1, float64(notified-calls[i].answered)))
	}
	k := len(fromCall)
	if k == 0 {
		return d, fmt.Errorf("none of %d devices was notified", n)
	}
	slices.Sort(fromCall)
	slices.Sort(fromAnswer)
	d.call50, d.call99, d.answer50, d.answer99 = fromCall[k/2], fromCall[k*99/100], fromAnswer[k/2], fromAnswer[k*99/100]
	return d, r.cancel(ctx, g, devices, prefix, n)
}

// created is the times of a CreateJob call, in Unix nanoseconds.
type created struct{ sent, answered int64 }

// create creates a job for each of the first n things, at rate jobs a second.
func (r *run) create(ctx context.Context, g *gate.Gate, prefix string, n, rate int) ([]created, error) {
	calls := make([]created, n)
	all, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	for first := range min(creators, n) {
		all.Go(func() error {
			for i := first; i < n; i += creators {
				if err := process.Sleep(ctx, time.Until(begun.Add(time.Duration(float64(i)/float64(rate)*1e9)))); err != nil {
					return err
				}
				target := "arn:aws:iot:" + account.Region + ":000000000000:thing/" + load.ThingName(group, r.Idle, i)
				calls[i].sent = time.Now().UnixNano()
				err := withRetries(ctx, func() error {
					return g.Call(ctx, http.MethodPut, "/jobs/"+prefix+strconv.Itoa(i), map[string]any{"targets": []string{target}, "document": gate.PlainDocument}, nil)
				})
				if err != nil {
					return err
				}
				calls[i].answered = time.Now().UnixNano()
			}
			return nil
		})
	}
	return calls, all.Wait()
}

// withRetries repeats a call that a busy gateway answers with a 503, as the SDKs do.
func withRetries(ctx context.Context, call func() error) error {
	for try := 0; ; try++ {
		err := call()
		if err == nil || try == 3 || !strings.Contains(err.Error(), "503") {
			return err
		}
		if err := process.Sleep(ctx, 50*time.Millisecond<<try); err != nil {
			return err
		}
	}
}

// cancel cancels the jobs and waits until each thing is notified, so that it has no pending job for the next round.
func (r *run) cancel(ctx context.Context, g *gate.Gate, devices holders, prefix string, n int) error {
	if err := devices.expect(""); err != nil {
		return err
	}
	all, calls := errgroup.WithContext(ctx)
	all.SetLimit(creators)
	for i := range n {
		all.Go(func() error {
			return withRetries(calls, func() error {
				return g.Call(calls, http.MethodPut, "/jobs/"+prefix+strconv.Itoa(i)+"/cancel?force=true", struct{}{}, nil)
			})
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	_, err := devices.collectAll()
	return err
}

// pin binds this process, which makes the calls, to the load's core until the function that it returns is called.
func (r *run) pin() (undo func()) {
	set := func(cores string) {
		_ = exec.Command("taskset", "-a", "-c", "-p", cores, strconv.Itoa(os.Getpid())).Run()
	}
	set(strconv.Itoa(r.LoadCore))
	return func() { set(fmt.Sprintf("%d,%d", r.ServerCore, r.LoadCore)) }
}
