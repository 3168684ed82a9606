package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

// fillStore fills a store with every kind of row.
func fillStore(t *testing.T, s jobs.Store) {
	t.Helper()
	service, err := operations.New(operations.Config{Store: s, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	must(t, err)
	ctx, now := t.Context(), time.Now()
	names := service.Names()
	for i := range 5000 {
		if i%1000 == 0 {
			var list []jobs.Thing
			for k := range 1000 {
				list = append(list, jobs.Thing{Name: fmt.Sprintf("t%04d", i+k), ID: fmt.Sprint("id", i+k), Version: 1, CreatedAt: now.UTC(), Attributes: map[string]string{"a": fmt.Sprint(i)}})
			}
			must(t, s.CreateThings(ctx, list))
		}
	}
	for _, g := range []jobs.CreateGroupRequest{{Name: "top", Tags: []jobs.Tag{{Key: "k", Value: "v"}}}, {Name: "below", Parent: "top"}, {Name: "lowest", Parent: "below"}, {Name: "gone"}} {
		_, err := service.CreateGroup(ctx, now, g)
		must(t, err)
	}
	for i := range 10 {
		must(t, service.AddToGroup(ctx, now, jobs.MemberRequest{Thing: fmt.Sprintf("t%04d", i), Group: "lowest"}))
	}
	settings := jobs.Settings{
		Timeout: &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 10},
		Retry:   &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: 1}}},
	}
	for i, targets := range [][]string{{names.GroupARN("top")}, {names.ThingARN("t0000"), names.ThingARN("t0001"), names.ThingARN("t4999")}, {names.GroupARN("gone")}} {
		_, err := service.CreateJob(ctx, now, jobs.CreateJobRequest{
			ID: fmt.Sprint("j", i), Targets: targets, Document: `{"a":1}`, Settings: settings, Tags: []jobs.Tag{{Key: "x", Value: "ü"}},
		})
		must(t, err)
	}
	for _, r := range []jobs.UpdateExecutionRequest{
		{Thing: "t0000", JobID: "j0", Status: jobs.InProgress},
		{Thing: "t0001", JobID: "j0", Status: jobs.Succeeded},
		{Thing: "t0002", JobID: "j0", Status: jobs.Failed, Details: map[string]string{"reason": "no space"}},
		{Thing: "t0000", JobID: "j1", Status: jobs.InProgress, StepMinutes: 1},
		{Thing: "t0001", JobID: "j1", Status: jobs.Rejected, Details: map[string]string{"reason": "no thanks"}},
	} {
		_, err := service.Update(ctx, now, r)
		must(t, err)
	}
	must(t, service.DeleteGroup(ctx, now, "gone", 0))
	must(t, service.DeleteThing(ctx, now, "t4999", 0))
	must(t, service.DeleteThing(ctx, now, "t4998", 0))
	_, err = service.Secret(ctx, "a secret")
	must(t, err)
	must(t, service.Driver().Tick(ctx, now))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dump returns every row of a store.
func dump(t *testing.T, e engine.Copier) map[string][][]any {
	t.Helper()
	all := map[string][][]any{}
	for i := range engine.Tables {
		rows, err := e.Export(t.Context(), &engine.Tables[i], nil, 1_000_000)
		must(t, err)
		all[engine.Tables[i].Name] = rows
	}
	return all
}

// halting is an engine whose imports fail after the first few.
type halting struct {
	engine.Copier
	left int
}

func (h *halting) Import(ctx context.Context, t *engine.Table, rows [][]any, mark []engine.Value) error {
	if h.left--; h.left < 0 {
		return errors.New("halted")
	}
	return h.Copier.Import(ctx, t, rows, mark)
}

func checkSound(t *testing.T, e engine.Copier) {
	t.Helper()
	r, err := e.Check(t.Context())
	must(t, err)
	if len(r.Faults) > 0 {
		t.Errorf("the store is inconsistent: %+v", r.Faults)
	}
	if r.Rows["things"] < 4998 || r.Rows["executions"] != 13 || r.Rows["attempts"] != 1 {
		t.Errorf("rows: %v", r.Rows)
	}
}

// TestCopy copies a store from a file to a database, interrupted and resumed, and back to another file. Nothing is lost, and
// the copy can be used.
func TestCopy(t *testing.T) {
	open := func(name string) *sqlite.Store {
		e, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), name), NoSync: true})
		must(t, err)
		t.Cleanup(func() { _ = e.Close() })
		return e
	}
	file := open("a.db")
	fillStore(t, rules.Over(file))
	checkSound(t, file)
	url := pgtest.New(t)
	shared, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = shared.Close() }()

	if err := engine.Copy(t.Context(), file, &halting{shared, 5}, "a", nil); err == nil || !strings.Contains(err.Error(), "halted") {
		t.Fatalf("a copy that is halted: %v", err)
	}
	if err := engine.Copy(t.Context(), file, shared, "b", nil); err == nil || !strings.Contains(err.Error(), "part of a") {
		t.Errorf("a copy from another source: %v", err)
	}
	must(t, engine.Copy(t.Context(), file, shared, "a", nil))
	checkSound(t, shared)
	if err := engine.Copy(t.Context(), file, shared, "a", nil); !errors.Is(err, engine.ErrNotEmpty) {
		t.Errorf("a copy into a store that is not empty: %v", err)
	}
	want := dump(t, file)
	if got := dump(t, shared); !reflect.DeepEqual(got, want) {
		for name := range want {
			if !reflect.DeepEqual(got[name], want[name]) {
				t.Errorf("%s: %d rows, want %d: %.500v\nwant %.500v", name, len(got[name]), len(want[name]), got[name], want[name])
			}
		}
	}
	must(t, rules.Over(shared).Place("a follower's").Save(t.Context(), "1.1.0")) // valid only in this database
	back := open("b.db")
	must(t, engine.Copy(t.Context(), shared, back, "c", nil))
	checkSound(t, back)
	if got := dump(t, back); !reflect.DeepEqual(got, want) {
		t.Error("the store that was copied back differs from the original")
	}

	// The copy can be used: new rows get unused numbers, a device's report is accepted, a group's ancestors are known.
	service, err := operations.New(operations.Config{Store: rules.Over(shared), Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	must(t, err)
	_, err = service.Update(t.Context(), time.Now(), jobs.UpdateExecutionRequest{Thing: "t0000", JobID: "j0", Status: jobs.Succeeded})
	must(t, err)
	_, err = service.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: "new"})
	must(t, err)
	_, err = service.CreateJob(t.Context(), time.Now(), jobs.CreateJobRequest{ID: "new", Document: "{}", Targets: []string{service.Names().GroupARN("top")}})
	must(t, err)
	d, err := service.DescribeGroup(t.Context(), "lowest")
	must(t, err)
	if fmt.Sprint(d.Ancestors) != "[top below]" && fmt.Sprint(d.Ancestors) != "[below top]" {
		t.Errorf("ancestors: %v", d.Ancestors)
	}
	if r, err := shared.Check(t.Context()); err != nil || len(r.Faults) > 0 {
		t.Errorf("after the changes: %+v %v", r.Faults, err)
	}
}

// TestCopyPlans checks that a copy leaves empty tables without statistics. PostgreSQL plans for a table that it has found
// empty as if it stayed empty: devices' requests would then read a whole index of executions.
func TestCopyPlans(t *testing.T) {
	file, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db"), NoSync: true})
	must(t, err)
	t.Cleanup(func() { _ = file.Close() })
	must(t, rules.Over(file).CreateThings(t.Context(), []jobs.Thing{{Name: "t", ID: "id", Version: 1, CreatedAt: time.Now().UTC()}}))
	url := pgtest.New(t)
	shared, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = shared.Close() }()
	must(t, engine.Copy(t.Context(), file, shared, "a", nil))
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for table, want := range map[string]float64{"things": 1, "executions": -1, "jobs": -1} {
		var got float64
		must(t, conn.QueryRow(t.Context(), "SELECT reltuples FROM pg_class WHERE oid = $1::text::regclass", table).Scan(&got))
		if got != want {
			t.Errorf("PostgreSQL estimates that %s has %g rows, want %g", table, got, want)
		}
	}
}

// TestFence makes a database read-only while a gateway uses it, and lifts that again.
func TestFence(t *testing.T) {
	url := pgtest.New(t)
	gateway, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = gateway.Close() }()
	put := func() error {
		return gateway.Update(t.Context(), engine.Work{Rows: 1}, func(tx engine.Tx) error {
			return tx.PutThings([]engine.Thing{{Name: fmt.Sprint("t", time.Now().UnixNano())}})
		})
	}
	must(t, put())
	mover, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = mover.Close() }()
	fenced := func(e *postgres.Engine, want bool) {
		t.Helper()
		if got, err := e.Fenced(t.Context()); err != nil || got != want {
			t.Errorf("fenced is %t, %v, want %t", got, err, want)
		}
	}
	fenced(mover, false)
	must(t, mover.Fence(t.Context(), true))
	fenced(mover, true)
	for range 5 {
		if err := put(); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("a change while fenced: %v", err)
		}
	}
	if err := gateway.View(t.Context(), func(r engine.Reader) error { _, err := r.ListThings(engine.ThingQuery{}, "", 1); return err }); err != nil {
		t.Errorf("a read while fenced: %v", err)
	}
	lifter, err := postgres.Open(t.Context(), postgres.Options{URL: url}) // like a new process: its connections are read-only from the start
	must(t, err)
	defer func() { _ = lifter.Close() }()
	must(t, lifter.Fence(t.Context(), false))
	fenced(lifter, false)
	deadline := time.Now().Add(5 * time.Second)
	for err = put(); err != nil && time.Now().Before(deadline); err = put() {
		time.Sleep(50 * time.Millisecond)
	}
	must(t, err)
}

// TestFenceRoles ends the sessions of another role. The fence fails while it may not end them.
func TestFenceRoles(t *testing.T) {
	url := pgtest.New(t)
	admin, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { _ = admin.Close(context.Background()) }()
	name := "fencing" + strings.TrimLeft(admin.Config().Database, "abcdefghijklmnopqrstuvwxyz")
	for _, sql := range []string{
		"CREATE ROLE " + name + " LOGIN", "CREATE ROLE " + name + "_reader LOGIN",
		"ALTER DATABASE " + admin.Config().Database + " OWNER TO " + name, "GRANT ALL ON SCHEMA public TO " + name,
	} {
		_, err := admin.Exec(t.Context(), sql)
		must(t, err)
	}
	mover, err := postgres.Open(t.Context(), postgres.Options{URL: strings.Replace(url, "postgres@", name+"@", 1)})
	must(t, err)
	defer func() { _ = mover.Close() }()
	reader, err := pgx.Connect(t.Context(), strings.Replace(url, "postgres@", name+"_reader@", 1))
	must(t, err)
	defer func() { _ = reader.Close(context.Background()) }()
	// The administrator's session may change the store, and the owner may not end it.
	if err := mover.Fence(t.Context(), true); err == nil || !strings.Contains(err.Error(), "postgres") || strings.Contains(err.Error(), "reader") {
		t.Errorf("a fence with another role's session open: %v", err)
	}
	if err := reader.Ping(t.Context()); err != nil {
		t.Errorf("a read-only session was ended: %v", err)
	}
	_, err = admin.Exec(t.Context(), "GRANT pg_signal_backend TO "+name)
	must(t, err)
	_, err = admin.Exec(t.Context(), "CREATE ROLE "+name+"_other LOGIN; GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "+name+"_other")
	must(t, err)
	must(t, admin.Close(t.Context()))
	other, err := pgx.Connect(t.Context(), strings.Replace(url, "postgres@", name+"_other@", 1))
	must(t, err)
	defer func() { _ = other.Close(context.Background()) }()
	must(t, mover.Fence(t.Context(), true))
	if err := other.Ping(t.Context()); err == nil {
		t.Error("another role's session outlived the fence")
	}
}

// TestFenceOneRole: where the role does not own the database, the fence is for the role only.
func TestFenceOneRole(t *testing.T) {
	url := pgtest.New(t)
	admin, err := pgx.Connect(t.Context(), url)
	must(t, err)
	name := `"Mover` + admin.Config().Database + `"`
	_, err = admin.Exec(t.Context(), "CREATE ROLE "+name+" LOGIN; GRANT ALL ON SCHEMA public TO "+name)
	must(t, err)
	must(t, admin.Close(t.Context()))
	open := func(url string) *postgres.Engine {
		e, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		must(t, err)
		t.Cleanup(func() { _ = e.Close() })
		return e
	}
	mover := open(strings.Replace(url, "postgres@", strings.Trim(name, `"`)+"@", 1))
	for _, want := range []bool{true, false} {
		must(t, mover.Fence(t.Context(), want))
		if got, err := mover.Fenced(t.Context()); err != nil || got != want {
			t.Errorf("fenced is %t, %v, want %t", got, err, want)
		}
	}
	must(t, mover.Fence(t.Context(), true))
	if got, err := open(url).Fenced(t.Context()); err != nil || got {
		t.Errorf("for another role, fenced is %t, %v", got, err)
	}
}

// TestFenceDatabase: Database is the same for all addresses of a database, and differs between databases, even of servers that
// are copies of each other.
func TestFenceDatabase(t *testing.T) {
	identify := func(url string) string {
		e, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		must(t, err)
		defer func() { _ = e.Close() }()
		id, err := e.Database(t.Context())
		must(t, err)
		return id
	}
	server, err := pgtest.Start(os.TempDir(), true)
	pgtest.Require(t, err)
	t.Cleanup(server.Remove)
	copied, err := pgtest.Start(os.TempDir(), true)
	pgtest.Require(t, err)
	t.Cleanup(copied.Remove)
	url := server.Database(t, "a")
	id := identify(url)
	if got := identify(url + "&application_name=x&timezone=Asia/Tokyo"); got != id {
		t.Errorf("the database is %q under one address and %q under another", id, got)
	}
	for _, other := range []string{server.Database(t, "b"), copied.Database(t, "a")} { // a has the same oid on both servers
		if got := identify(other); got == id {
			t.Errorf("%s and %s are both %q", url, other, id)
		}
	}
}
