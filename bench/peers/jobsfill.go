package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobgate/bench/load"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/sqlite"
)

// The groups of the jobs comparison, which are the prefixes of their things' names, too.
const (
	groupFleet  = "thing-"  // gets the job whose rollout is measured
	groupSigned = "signed-" // has a job whose document holds a signed URL
	groupIdle   = "idle-"   // has no job
	someThings  = 10_000    // at most, in each of the small groups
)

// fillChunk is how many things are registered at once.
const fillChunk = 5000

// fill is a store with the comparison's things.
type fill struct {
	store *sqlite.Store
	now   time.Time
}

// fillStore makes a store at path whose groups have as many things as sizes says. It is closed when this returns.
func fillStore(ctx context.Context, path string, sizes map[string]int) (err error) {
	store, err := sqlite.Open(ctx, sqlite.Options{Path: path, NoSync: true}) // on disk when it is closed
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	f := fill{store: store, now: time.Now()}
	for name, n := range sizes {
		if err := f.group(ctx, name, n); err != nil {
			return fmt.Errorf("cannot register the %d things of group %q: %w", n, name, err)
		}
	}
	return nil
}

// group makes a group and its things, whose names are those of jobgate bench --thing-prefix NAME --things N.
func (f *fill) group(ctx context.Context, name string, n int) error {
	names, err := load.ParseNames(name, fmt.Sprint(n))
	if err != nil {
		return err
	}
	g := jobs.Group{Name: name, ID: uuid(0), Version: 1, CreatedAt: f.now}
	if err := f.store.CreateGroup(ctx, g, nil); err != nil {
		return err
	}
	for first := 0; first < n; first += fillChunk {
		if err := f.chunk(ctx, &names, first, min(first+fillChunk, n)); err != nil {
			return err
		}
	}
	return nil
}

// chunk registers the things from first up to end.
func (f *fill) chunk(ctx context.Context, names *load.Names, first, end int) error {
	things, members := make([]jobs.Thing, 0, end-first), make([]string, 0, end-first)
	for i := first; i < end; i++ {
		name := string(names.AppendTo(nil, uint32(i)))
		things = append(things, jobs.Thing{Name: name, ID: uuid(i), Version: 1, CreatedAt: f.now})
		members = append(members, name)
	}
	if err := f.store.CreateThings(ctx, things); err != nil {
		return err
	}
	_, err := f.store.ChangeMembers(ctx, jobs.MemberChange{Things: members, Add: []string{names.Prefix}, Now: f.now})
	return err
}

// uuid is an identity as long as those that the service gives.
func uuid(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }
