package codesign

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// usedWithin is the precision of a signature's last use, because recording it costs a
// write to the store.
const usedWithin = 24 * time.Hour

// keptUnused is how long an unused signature is kept.
const keptUnused = 30 * 24 * time.Hour

// touch records that a record was used, once a day.
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

// Prune deletes signatures unused for 30 days, in memory and in the store. If one is
// needed later, it is made again.
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
