package rules

import (
	"context"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// Place is how far somebody has come who does something outside the store for each change, so that whoever follows him,
// after a restart, knows which changes he has missed. A place is kept by one process at a time.
//
// A store that is not shared keeps no changes, but nobody else makes any: its one place is that all was done when the
// process ended in order.
type Place struct {
	store *Store
	name  string
}

// Place returns the place of a follower.
func (s *Store) Place(name string) *Place { return &Place{s, name} }

// inOrder is the place in a store that is not shared.
const inOrder = "in order"

// Shared says whether places change while the process runs; if not, Save is for its end.
func (p *Place) Shared() bool { return p.store.shared }

// Now returns the place behind all changes whose commits this call can see.
func (p *Place) Now(ctx context.Context) (string, error) {
	if !p.store.shared {
		return inOrder, nil
	}
	_, place, err := p.store.engine.Feed(ctx, "", 0, 0)
	return place, problem(err)
}

// Load returns the place that was saved last, "" if none was. In a store that is not shared it is good once.
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

// Save keeps a place.
func (p *Place) Save(ctx context.Context, place string) error {
	return p.store.update(ctx, 1, func(t engine.Tx) error {
		return t.PutValues([]engine.Value{{Space: engine.PlaceSpace, Key: p.name, Value: []byte(place)}})
	})
}

// changedPage is how many changes are read at once.
const changedPage = 256

// Changed calls f with the things whose executions were changed behind a place, some several times. ErrFeedMissed if that
// is not known: it was too long ago, or there is no place.
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
