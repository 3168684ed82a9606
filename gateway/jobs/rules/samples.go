package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// progress is the space of the jobs' counts over time, by job row: lists of numbers, a time in milliseconds and the counts,
// without trailing zeros.
const progress = "progress"

// widths are the distances between samples, by maximum age.
var widths = []struct{ age, width time.Duration }{
	{time.Hour, time.Minute},
	{12 * time.Hour, 10 * time.Minute},
	{7 * 24 * time.Hour, 2 * time.Hour},
	{1 << 62, 24 * time.Hour},
}

// maxSamples bounds the samples kept, the newest ones: about a year's.
const maxSamples = 500

// AddSample implements jobs.SampleStore.
func (s *Store) AddSample(ctx context.Context, j *jobs.Job, one jobs.Sample) error {
	return s.update(ctx, 1, func(t engine.Tx) error {
		if _, now, err := findJob(t, j.ID); err != nil || now.Row != j.Row {
			return err
		}
		list, err := readSamples(t, j.Row)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			list = append(list, jobs.Sample{At: j.CreatedAt}) // it had no executions then
		}
		if list[len(list)-1].Counts == one.Counts {
			return nil
		}
		return putSamples(t, j.Row, addSample(list, one))
	})
}

// PublishProgress implements jobs.SampleStore.
func (s *Store) PublishProgress(ctx context.Context, j *jobs.Job, counts *jobs.Counts, now time.Time) error {
	return s.update(ctx, 1, func(t engine.Tx) error { return s.publish(t, jobs.NoticeJob(jobs.EventJobProgress, j, counts, now)) })
}

// addSample returns list with one more sample, thinned. If the counts were constant for long, it first adds a sample with
// the old counts a minute ago, so that a plot shows when they changed.
func addSample(list []jobs.Sample, one jobs.Sample) []jobs.Sample {
	last := list[len(list)-1]
	if one.At.Before(last.At) { // from another gateway's clock
		one.At = last.At
	}
	if before := one.At.Add(-time.Minute); before.Sub(last.At) > time.Minute {
		list = append(list, jobs.Sample{At: before, Counts: last.Counts})
	}
	return thin(append(list, one), one.At)
}

// thin keeps the last sample of each interval, which is longer for older samples, and the very first.
func thin(list []jobs.Sample, now time.Time) []jobs.Sample {
	type stretch struct{ width, number int64 }
	var of stretch
	kept := make([]jobs.Sample, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		w := slices.IndexFunc(widths, func(w struct{ age, width time.Duration }) bool { return now.Sub(list[i].At) < w.age })
		this := stretch{int64(w), list[i].At.UnixMilli() / widths[w].width.Milliseconds()}
		if i > 0 && len(kept) > 0 && this == of {
			continue
		}
		of = this
		kept = append(kept, list[i])
	}
	if len(kept) > maxSamples {
		kept = kept[:maxSamples]
	}
	slices.Reverse(kept)
	return kept
}

// Samples implements jobs.SampleStore.
func (s *Store) Samples(ctx context.Context, jobID string) (list []jobs.Sample, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		_, j, err := findJob(r, jobID)
		if err == nil {
			list, err = readSamples(r, j.Row)
		}
		return err
	})
	return list, err
}

func readSamples(r engine.Reader, job int64) ([]jobs.Sample, error) {
	values, err := r.Values(progress, []string{jobKey(job)})
	if err != nil || len(values) == 0 {
		return nil, err
	}
	var rows [][]int64
	if err := json.Unmarshal(values[0].Value, &rows); err != nil {
		return nil, fmt.Errorf("progress of job %d: %w", job, err)
	}
	list := make([]jobs.Sample, 0, len(rows)+2)
	for _, row := range rows {
		if len(row) > 0 {
			one := jobs.Sample{At: instant(row[0])}
			copy(one.Counts[:], row[1:])
			list = append(list, one)
		}
	}
	return list, nil
}

func putSamples(t engine.Tx, job int64, list []jobs.Sample) error {
	rows := make([][]int64, len(list))
	for i := range list {
		row := append([]int64{millis(list[i].At)}, list[i].Counts[:]...)
		for row[len(row)-1] == 0 && len(row) > 1 {
			row = row[:len(row)-1]
		}
		rows[i] = row
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return t.PutValues([]engine.Value{{Space: progress, Key: jobKey(job), Value: text}})
}
