package report

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a Histogram. Longer times are counted as MaxLatency.
const (
	resolution = 100 // ns; hdrhistogram rounds it down to a power of two, 64 ns
	MaxLatency = time.Hour
)

// Histogram counts durations with a bounded relative error (HdrHistogram). The zero
// value is not usable. It is not safe for concurrent use.
type Histogram struct {
	hdr *hdrhistogram.Histogram
}

// NewHistogram returns an empty histogram with a relative error of at most 0.1 %.
// It takes about 220 KB.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(resolution, int64(MaxLatency), 3)}
}

// NewCoarseHistogram returns an empty histogram with a relative error of at most 1 %
// and a tenth of the size, for the many intervals of a run.
func NewCoarseHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(resolution, int64(MaxLatency), 2)}
}

// Record counts one duration; a negative one counts as zero. It does not allocate.
func (h *Histogram) Record(d time.Duration) {
	// RecordValue fails only for values out of range, which the clamp excludes.
	_ = h.hdr.RecordValue(int64(min(max(d, 0), MaxLatency)))
}

// Merge adds the counts of other, which is not changed. A nil other adds nothing.
func (h *Histogram) Merge(other *Histogram) {
	if other != nil {
		h.hdr.Merge(other.hdr)
	}
}

// Reset clears all counts.
func (h *Histogram) Reset() { h.hdr.Reset() }

// Count returns how many durations were recorded; of a nil histogram, 0.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	return h.hdr.TotalCount()
}

// Percentile returns the duration that p percent (0 to 100) of the recorded durations
// do not exceed, or 0 when nothing was recorded.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return min(time.Duration(h.hdr.ValueAtPercentile(p)), h.Max())
}

// Min returns the smallest recorded duration, or 0 when nothing was recorded.
func (h *Histogram) Min() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.hdr.Min())
}

// Max returns the largest recorded duration, or 0 when nothing was recorded.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return min(time.Duration(h.hdr.Max()), MaxLatency)
}

// Mean returns the mean of the recorded durations, or 0 when nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.hdr.Mean())
}

// histogramJSON is a histogram in a report's JSON: figures for people and jq, in
// microseconds, and the whole histogram in HdrHistogram's V2 encoding.
type histogramJSON struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min_us"`
	Mean  float64 `json:"mean_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p99_9_us"`
	P9999 float64 `json:"p99_99_us"`
	Max   float64 `json:"max_us"`
	HDR   string  `json:"hdr"`
}

// MarshalJSON writes the histogram and, for people, its percentiles.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	encoded, err := h.hdr.EncodeV2()
	if err != nil {
		return nil, fmt.Errorf("cannot encode a histogram of %d values: %w", h.Count(), err)
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()/10) / 100 }
	return json.Marshal(histogramJSON{
		Count: h.Count(), Min: us(h.Min()), Mean: us(h.Mean()), P50: us(h.Percentile(50)), P90: us(h.Percentile(90)),
		P99: us(h.Percentile(99)), P999: us(h.Percentile(99.9)), P9999: us(h.Percentile(99.99)), Max: us(h.Max()),
		HDR: string(encoded),
	})
}

// UnmarshalJSON reads what MarshalJSON wrote. It ignores the percentiles and decodes
// the histogram.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var j histogramJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("cannot read a histogram: %w", err)
	}
	decoded, err := hdrhistogram.Decode([]byte(j.HDR))
	if err != nil {
		return fmt.Errorf("cannot decode a histogram of %d values: %w", j.Count, err)
	}
	if got := decoded.TotalCount(); got != j.Count {
		return fmt.Errorf("cannot decode a histogram: it holds %d values, its count says %d", got, j.Count)
	}
	// Accept only our own range and resolution, so that merging loses nothing.
	if decoded.HighestTrackableValue() != int64(MaxLatency) || decoded.LowestTrackableValue() != resolution {
		return fmt.Errorf("cannot use a histogram of %d..%d ns: a report's histograms are of %d..%d ns",
			decoded.LowestTrackableValue(), decoded.HighestTrackableValue(), resolution, int64(MaxLatency))
	}
	h.hdr = decoded
	return nil
}
