package rules_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

// TestPlace: a gateway continues from the place that another one saved.
func TestPlace(t *testing.T) {
	ctx, db := context.Background(), memory.New(memory.Faults{})
	one, other := rules.Over(db.Open()), rules.Over(db.Open())
	defer func() { _, _ = one.Close(), other.Close() }()
	a, b := one.Place("p"), other.Place("p")
	changed := func(want ...string) {
		t.Helper()
		place, err := b.Load(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := b.Changed(ctx, place, func(thing string) { got = append(got, thing) }); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q changed, %v; want %q", got, err, want)
		}
	}
	keep := func() {
		t.Helper()
		place, err := a.Now(ctx)
		if err != nil || a.Save(ctx, place) != nil {
			t.Fatal(err)
		}
	}
	remove := func(thing string) {
		t.Helper()
		if err := one.CreateThings(ctx, []jobs.Thing{{Name: thing, ID: thing, Version: 1, CreatedAt: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		if _, err := one.DeleteThing(ctx, thing, 0, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if place, err := b.Load(ctx); place != "" || err != nil || !errors.Is(b.Changed(ctx, place, nil), jobs.ErrFeedMissed) {
		t.Errorf("before one was saved: %q, %v", place, err)
	}
	remove("before")
	keep()
	changed()
	remove("behind")
	changed("behind")
	changed("behind") // reading does not move the place
	keep()
	changed()
	remove("pruned")
	if err := one.PruneFeed(ctx, -time.Hour); err != nil {
		t.Fatal(err)
	}
	if place, err := b.Load(ctx); err != nil || !errors.Is(b.Changed(ctx, place, nil), jobs.ErrFeedMissed) {
		t.Errorf("a place that was pruned: %v", err)
	}
	if place, err := one.Place("another").Load(ctx); place != "" || err != nil {
		t.Errorf("another follower's: %q, %v", place, err)
	}
}

// TestPlaceAlone: in a store that is not shared, a saved place is valid for one start.
func TestPlaceAlone(t *testing.T) {
	ctx := context.Background()
	engine, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	store := rules.Over(engine)
	defer func() { _ = store.Close() }()
	p := store.Place("p")
	at, err := p.Now(ctx)
	if err != nil || p.Save(ctx, at) != nil || p.Shared() {
		t.Fatal(err)
	}
	for _, want := range []error{nil, jobs.ErrFeedMissed} {
		place, err := p.Load(ctx)
		if err != nil || !errors.Is(p.Changed(ctx, place, nil), want) {
			t.Errorf("%q, %v; want %v", place, err, want)
		}
	}
}
