package gate

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"jobgate/bench/peers/load"
)

// The groups of the jobs comparison. A group's name is also the prefix of its things' names.
const (
	GroupFleet  = "thing-"  // gets the job whose rollout is measured
	GroupSigned = "signed-" // has a job whose document holds a signed URL
	GroupIdle   = "idle-"   // has no job
	someThings  = 10_000    // limit for each of the small groups
)

// fillers is the number of concurrent calls of the control plane: enough for many of them to share a sync.
const fillers = 256

// FillGroups creates groups with the numbers of things in sizes, with an operator's API calls. This takes longer than
// writing to the store directly, but works with the store of any jobgate.
func (g *Gate) FillGroups(ctx context.Context, sizes map[string]int) error {
	for name, n := range sizes {
		if err := g.Call(ctx, http.MethodPost, "/thing-groups/"+name, struct{}{}, nil); err != nil {
			return err
		}
		if err := g.fillGroup(ctx, name, n); err != nil {
			return fmt.Errorf("cannot register the %d things of group %q: %w", n, name, err)
		}
	}
	return nil
}

// fillGroup registers a group's things, whose names are those of jobgate bench --thing-prefix NAME --things N.
func (g *Gate) fillGroup(ctx context.Context, name string, n int) error {
	all, ctx := errgroup.WithContext(ctx)
	for first := range min(fillers, n) {
		all.Go(func() error {
			for i := first; i < n; i += fillers {
				thing := load.ThingName(name, n, i)
				if err := g.Call(ctx, http.MethodPost, "/things/"+thing, struct{}{}, nil); err != nil {
					return err
				}
				member := map[string]string{"thingGroupName": name, "thingName": thing}
				if err := g.Call(ctx, http.MethodPut, "/thing-groups/addThingToThingGroup", member, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// GroupSizes returns the number of things in each group: things in the large one, fewer in the others.
func GroupSizes(things int) map[string]int {
	small := max(1, min(someThings, things/20))
	return map[string]int{GroupFleet: things, GroupSigned: small, GroupIdle: small}
}
