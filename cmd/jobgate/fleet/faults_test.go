package fleet_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestGatewaysKilled kills and restarts gateways under load.
func TestGatewaysKilled(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 3, url, url)
	l := f.load("killed", 8, 4)
	l.awaitReport(10 * time.Second)
	for range 2 * faults() {
		g := f.gateways[rand.IntN(len(f.gateways))]
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		g.end(syscall.SIGKILL)
		g.start()
		l.awaitReport(5 * time.Second)
	}
	l.verify()
}

// TestHandover stops the gateway that does the background work. Another must take over at once.
func TestHandover(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 2, url, url)
	first := f.holder(11*time.Second, f.gateways...)
	other := f.gateways[0]
	if other == first {
		other = f.gateways[1]
	}
	// No gateway can take the lease meanwhile. It must be released, not expire.
	other.process().Signal(syscall.SIGSTOP)
	first.end(syscall.SIGTERM)
	var released bool
	if err := queryOne(t, url, "SELECT until = '-infinity' FROM leases WHERE name = 'drive'", &released); err != nil || !released {
		t.Errorf("the lease of a stopped gateway: released %v, %v; want true", released, err)
	}
	other.process().Signal(syscall.SIGCONT)
	begun := time.Now()
	f.holder(5*time.Second, other)
	t.Logf("handed over within %v", time.Since(begun))
}

// queryOne reads the only value of a query.
func queryOne(t *testing.T, url, query string, value any) error {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.Background()) }() // the value was read
	return c.QueryRow(t.Context(), query).Scan(value)
}

// TestHolderFrozen freezes the gateway that does the background work for longer than its lease. Another must take over, and
// the first must notice that it has lost the lease when it continues.
func TestHolderFrozen(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 2, url, url)
	frozen := f.holder(11*time.Second, f.gateways...)
	other := f.gateways[0]
	if other == frozen {
		other = f.gateways[1]
	}
	f.sendTo(other)
	l := f.load("frozen", 4, 4)
	l.awaitReport(10 * time.Second)
	frozen.process().Signal(syscall.SIGSTOP)
	begun := time.Now()
	f.holder(10*time.Second, other)
	t.Logf("another holds the lease after %v", time.Since(begun))
	frozen.process().Signal(syscall.SIGCONT)
	f.holder(5*time.Second, other, frozen)
	f.sendTo(other, frozen)
	l.verify()
}

// TestDatabaseStopped stops the database under load, without a checkpoint, and restarts it. While it is down, job calls must
// be answered 503 soon, and /readyz must be 200 with the store's state.
func TestDatabaseStopped(t *testing.T) {
	server, url := startServer(t)
	f := newFleet(t, 2, url, url)
	l := f.load("stopped", 8, 4)
	for range faults() {
		l.awaitReport(10 * time.Second)
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		server.Stop(syscall.SIGQUIT)
		time.Sleep(100 * time.Millisecond)
		begun := time.Now()
		status, body, header := f.post(l.things[0], l.job, `{"status":"IN_PROGRESS"}`)
		if took := time.Since(begun); status != 503 || header.Get("Retry-After") == "" || took > 2*time.Second+grace/5 {
			t.Errorf("while the database is down: %d %s after %v", status, body, took)
		}
		admin := f.gateways[0].at("admin")
		status, body, _ = get("http://" + admin + "/readyz")
		if status != 200 || !strings.Contains(body, `"store":{"kind":"postgres","state":"failing"`) {
			t.Errorf("/readyz while the database is down: %d %s", status, body)
		}
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
		t.Logf("answered again after %v", l.awaitReport(5*time.Second))
	}
	l.verify()
}

// TestStandbyPromoted stops the primary and promotes its standby, which has every acknowledged change.
func TestStandbyPromoted(t *testing.T) {
	primary, url := startServer(t)
	standby, err := primary.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Remove)
	both := strings.Replace(url, "/jobgate?", ","+standby.Address()+"/jobgate?target_session_attrs=read-write&", 1)
	f := newFleet(t, 2, both, both)
	l := f.load("promoted", 8, 4)
	l.awaitReport(10 * time.Second)
	time.Sleep(500 * time.Millisecond)
	primary.Stop(syscall.SIGQUIT)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("answered again %v after the promotion", l.awaitReport(5*time.Second))
	l.verify()
}
