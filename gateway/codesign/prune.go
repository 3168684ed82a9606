package codesign

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// usedWithin is how exactly it is known when a signature was last asked for: writing it
// down costs a write of the store.
const usedWithin = 24 * time.Hour

// keptUnused is how long a signature is kept that nobody asks for.
const keptUnused = 30 * 24 * time.Hour

// touch writes down that a record was asked for, once a day.
func (s *Shelf) touch(ctx context.Context, place string, r *record) {
	now := time.Now()
	s.mu.Lock()
	if s.records[place] != r || now.Sub(time.Unix(r.Used, 0)) < usedWithin {
		s.mu.Unlock()
		return
	}
	used := *r // with the same signatures, which are immutable
	used.Used = now.Unix()
	s.records[place] = &used
	s.mu.Unlock()
	s.put(ctx, place, &used)
}

// Prune forgets signatures that were not asked for in 30 days, in memory and in the
// store. What is needed after all is made again.
func (s *Shelf) Prune(ctx context.Context) error {
	before := time.Now().Add(-keptUnused).Unix()
	s.mu.Lock()
	for place, r := range s.records {
		if r.Used < before {
			delete(s.records, place)
		}
	}
	s.mu.Unlock()
	if s.keep == nil {
		return nil
	}
	err := s.keep.Prune(ctx, func(value []byte) bool {
		var r record
		return json.Unmarshal(value, &r) != nil || r.Used < before
	})
	if err != nil {
		return fmt.Errorf("cannot delete unused signatures: %w", err)
	}
	return nil
}
