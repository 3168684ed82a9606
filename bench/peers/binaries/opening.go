package binaries

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/peers/rounds"
)

// openScenario is the start of a gateway on a store with things. Its CPU time is per thing.
const openScenario = "opening the store, until ready"

// compareOpening opens, in each round, each side's store from compareCreate, in which all things have a job.
func (b *binaries) compareOpening(ctx context.Context) error {
	if !b.wanted(openScenario) {
		return nil
	}
	var turns [2]*rounds.Contestant
	for i, s := range b.sides {
		if err := s.jobs.MeasureEmpty(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		turns[i] = &rounds.Contestant{Name: s.name, Run: s.open}
	}
	b.Progress("%s", openScenario)
	if err := rounds.Take(ctx, b.Options, turns[:]); err != nil {
		return fmt.Errorf("%s: %w", openScenario, err)
	}
	b.pairs = append(b.pairs, &pair{openScenario, "thing", turns})
	return nil
}

// open starts the gateway and measures its heap once it is ready.
func (s *side) open(ctx context.Context) (t rounds.Turn, err error) {
	begun := time.Now()
	if err := s.jobs.Start(ctx, ""); err != nil {
		return t, err
	}
	defer s.jobs.Gate.Stop()
	t.P50, t.Good = time.Since(begun), int64(s.Things)
	t.Rate = float64(t.Good) / t.P50.Seconds()
	t.Server = s.jobs.Gate.CPU() / time.Duration(t.Good)
	_, each, err := s.jobs.Heap(ctx)
	s.heap = append(s.heap, each)
	return t, err
}
