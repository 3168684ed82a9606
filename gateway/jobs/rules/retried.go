package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// retried is the space of counts of earlier attempts, which the jobs' counts omit: there a thing counts by its latest
// execution only. A job has a few such values, by thing, so that retries of one job rarely wait for each other.
const (
	retried       = "retried"
	retriedShards = 16
)

func retriedKey(job, shard int64) string {
	return strconv.FormatInt(job, 10) + "/" + strconv.FormatInt(shard, 10)
}

func retriedKeys(job int64) []string {
	keys := make([]string, retriedShards)
	for i := range keys {
		keys[i] = retriedKey(job, int64(i))
	}
	return keys
}

// retries reports whether a swap changes its job's count of retries: another attempt follows, or a later attempt ends.
func retries(w *jobs.Swap) bool {
	return w.Next != nil || (w.Old.Retry > 0 && w.New.Status.Executed())
}

// swapRetries applies changes and counts the retries among them. swaps are the changes' swaps.
func (s *Store) swapRetries(ctx context.Context, swaps []*jobs.Swap, changes []engine.Change) error {
	return s.update(ctx, len(changes), func(t engine.Tx) error {
		if err := t.Apply(changes); err != nil {
			return err
		}
		sums := make(map[string]jobs.Retried)
		for i := range changes {
			if changes[i].Applied {
				key := retriedKey(changes[i].Job, changes[i].Thing%retriedShards)
				sum := sums[key]
				sum.Add(swaps[i])
				sums[key] = sum
			}
		}
		return addRetried(t, sums)
	})
}

// addRetried adds to the values.
func addRetried(t engine.Tx, sums map[string]jobs.Retried) error {
	if len(sums) == 0 {
		return nil
	}
	keys := make([]string, 0, len(sums))
	for key := range sums {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	have, err := t.Values(retried, keys)
	if err != nil {
		return err
	}
	for i := range have {
		sum, err := decodeRetried(&have[i])
		if err != nil {
			return err
		}
		more := sums[have[i].Key]
		more.Merge(&sum)
		sums[have[i].Key] = more
	}
	values := make([]engine.Value, len(keys))
	for i, key := range keys {
		text, err := json.Marshal(sums[key])
		if err != nil {
			return err
		}
		values[i] = engine.Value{Space: retried, Key: key, Value: text}
	}
	return t.PutValues(values)
}

func decodeRetried(v *engine.Value) (sum jobs.Retried, err error) {
	if err := json.Unmarshal(v.Value, &sum); err != nil {
		return sum, fmt.Errorf("count of retries %s: %w", v.Key, err)
	}
	return sum, nil
}

// Retried implements jobs.JobStore.
func (s *Store) Retried(ctx context.Context, j *jobs.Job) (sum jobs.Retried, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		sum = jobs.Retried{}
		values, err := r.Values(retried, retriedKeys(j.Row))
		for i := range values {
			one, err := decodeRetried(&values[i])
			if err != nil {
				return err
			}
			sum.Merge(&one)
		}
		return err
	})
	return sum, err
}
