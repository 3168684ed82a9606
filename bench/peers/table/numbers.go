package table

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"
)

func Megabytes(n int64) float64 { return float64(n) / (1 << 20) }

func InMegabytes(n int64) string { return fmt.Sprintf("%.1f MB", Megabytes(n)) }

func Percent(share float64) string {
	if math.IsNaN(share) {
		return ""
	}
	return fmt.Sprintf("%.0f %%", share*100)
}

// Microseconds formats nanoseconds as microseconds with two decimals.
func Microseconds(ns float64) string { return fmt.Sprintf("%.2f µs", ns/1e3) }

func Thousands(f float64) string {
	return humanize.FormatFloat("#,###.", f)
}

func ShortDuration(ns float64) string {
	switch {
	case math.IsNaN(ns) || ns == 0:
		return ""
	case ns < 1e6:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	}
	return strings.Replace(fmt.Sprintf("%.2f ms", ns/1e6), ".00 ", " ", 1)
}
