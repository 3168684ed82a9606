package overload

import (
	"runtime/metrics"
	"time"
)

// delays reads how long runnable goroutines waited for a processor. The runtime measures one in eight.
type delays struct {
	sample []metrics.Sample
	before []uint64 // the last counts
}

func newDelays() *delays {
	d := &delays{sample: []metrics.Sample{{Name: "/sched/latencies:seconds"}}}
	d.median()
	return d
}

// median returns the median of the delays since it was last called, 0 if there were none.
func (d *delays) median() time.Duration {
	metrics.Read(d.sample)
	if d.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0 // an unknown runtime version
	}
	h := d.sample[0].Value.Float64Histogram()
	if len(d.before) != len(h.Counts) {
		d.before = make([]uint64, len(h.Counts))
	}
	total := uint64(0)
	for i, n := range h.Counts {
		d.before[i] = n - d.before[i] // count in this interval
		total += d.before[i]
	}
	median := middle(d.before, h.Buckets, total)
	copy(d.before, h.Counts)
	return median
}

// middle returns the lower bound of the bucket that contains the median of total counts.
func middle(counts []uint64, bounds []float64, total uint64) time.Duration {
	seen := uint64(0)
	for i, n := range counts {
		if seen += n; 2*seen > total {
			return time.Duration(max(0, bounds[i]) * float64(time.Second))
		}
	}
	return 0
}
