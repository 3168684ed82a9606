package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// The groups of the jobs comparison, which are the prefixes of their things' names, too.
const (
	groupFleet  = "thing-"  // gets the job whose rollout is measured
	groupSigned = "signed-" // has a job whose document holds a signed URL
	groupIdle   = "idle-"   // has no job
	someThings  = 10_000    // at most, in each of the small groups
)

// fillers is how many calls of the control plane are under way at once: enough for many of them to share a sync.
const fillers = 256

// fillGroups makes groups with as many things as sizes says, by the calls that an operator has. That takes longer than
// writing into the store, and works with the store of any jobgate.
func (g *jobsGate) fillGroups(ctx context.Context, sizes map[string]int) error {
	for name, n := range sizes {
		if err := g.call(ctx, http.MethodPost, "/thing-groups/"+name, struct{}{}, nil); err != nil {
			return err
		}
		if err := g.fillGroup(ctx, name, n); err != nil {
			return fmt.Errorf("cannot register the %d things of group %q: %w", n, name, err)
		}
	}
	return nil
}

// fillGroup registers a group's things, whose names are those of jobgate bench --thing-prefix NAME --things N.
func (g *jobsGate) fillGroup(ctx context.Context, name string, n int) error {
	all, ctx := errgroup.WithContext(ctx)
	for first := range min(fillers, n) {
		all.Go(func() error {
			for i := first; i < n; i += fillers {
				thing := thingName(name, n, i)
				if err := g.call(ctx, http.MethodPost, "/things/"+thing, struct{}{}, nil); err != nil {
					return err
				}
				member := map[string]string{"thingGroupName": name, "thingName": thing}
				if err := g.call(ctx, http.MethodPut, "/thing-groups/addThingToThingGroup", member, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// groupSizes are how many things the groups have.
func (o *options) groupSizes() map[string]int {
	small := max(1, min(someThings, o.things/20))
	return map[string]int{groupFleet: o.things, groupSigned: small, groupIdle: small}
}

// makeStore makes a store at path with all groups. With -keep it is copied from there, or kept there for the next time.
func makeStore(ctx context.Context, o *options, path, sts string) error {
	kept := ""
	if o.keep != "" {
		kept = filepath.Join(o.keep, fmt.Sprintf("jobs-%d.db", o.things))
		if err := copyStore(path, kept); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	begun := time.Now()
	g, err := startJobsGate(ctx, o, settings{Store: path, unpinned: true}, sts)
	if err != nil {
		return err
	}
	err = g.fillGroups(ctx, o.groupSizes())
	g.stop() // the store is whole in its file then
	if err != nil {
		return err
	}
	o.progress("things registered in %s", time.Since(begun).Round(time.Millisecond))
	if kept != "" {
		return copyStore(kept, path)
	}
	return nil
}

// copyStore copies the store of a process that has ended.
func copyStore(to, from string) error {
	if _, err := os.Stat(from + "-wal"); err == nil {
		return fmt.Errorf("cannot copy the store %q: its process did not end cleanly and left a -wal file", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot copy the store: %w", err)
	}
	defer func() { _ = in.Close() }() // it is only read
	// Under another name until it is whole: a run that is interrupted leaves no half of it to the next.
	out, err := os.OpenFile(to+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot copy the store: %w", err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("cannot copy the store to %q: %w", to, err)
	}
	return os.Rename(to+".part", to)
}
