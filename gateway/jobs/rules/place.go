package rules

import (
	"context"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// Place records how far a follower, which does something outside the store for each change, has processed the changes. After
// a restart, or on another gateway, it shows which changes were missed. One process at a time updates a place.
//
// A store that is not shared has no feed, and no other process changes it: its only place says that the process ended
// cleanly, with all changes processed.
type Place struct {
	store *Store
	name  string
}

// Place returns the place of a follower.
func (s *Store) Place(name string) *Place { return &Place{s, name} }

// inOrder is the place of a clean end in a store that is not shared.
const inOrder = "in order"

// Shared reports whether places change while the process runs; if not, call Save at its end only.
func (p *Place) Shared() bool { return p.store.shared }

// Now returns the place after all changes whose commits are visible to this call.
func (p *Place) Now(ctx context.Context) (string, error) {
	if !p.store.shared {
		return inOrder, nil
	}
	_, place, err := p.store.engine.Feed(ctx, "", 0, 0)
	return place, problem(err)
}

// Load returns the last saved place, "" if there is none. In a store that is not shared it can be loaded once.
func (p *Place) Load(ctx context.Context) (place string, err error) {
	keys := []string{p.name}
	load := func(r engine.Reader) error {
		values, err := r.Values(engine.PlaceSpace, keys)
		if place = ""; len(values) > 0 {
			place = string(values[0].Value)
		}
		return err
	}
	if p.store.shared {
		return place, p.store.view(ctx, load)
	}
	err = p.store.update(ctx, 1, func(t engine.Tx) error {
		if err := load(t); err != nil || place == "" {
			return err
		}
		return t.DeleteValues(engine.PlaceSpace, keys)
	})
	return place, err
}

// Save stores a place.
func (p *Place) Save(ctx context.Context, place string) error {
	return p.store.update(ctx, 1, func(t engine.Tx) error {
		return t.PutValues([]engine.Value{{Space: engine.PlaceSpace, Key: p.name, Value: []byte(place)}})
	})
}

// changedPage is how many changes are read in one call.
const changedPage = 256

// Changed calls f with the things whose executions have changed since a place, possibly more than once each. ErrFeedMissed
// if that is unknown, because the place is too old or "".
func (p *Place) Changed(ctx context.Context, place string, f func(thing string)) error {
	switch {
	case place == "" || !p.store.shared && place != inOrder:
		return jobs.ErrFeedMissed
	case !p.store.shared:
		return nil
	}
	for {
		notices, next, err := p.store.Feed(ctx, place, changedPage, 0)
		if err != nil {
			return err
		}
		for i := range notices {
			notices[i].Events(time.Time{}, func(e *jobs.Event) {
				if e.Thing != "" {
					f(e.Thing)
				}
			})
		}
		if place = next; len(notices) == 0 {
			return nil
		}
	}
}
