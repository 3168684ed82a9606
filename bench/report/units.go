package report

import (
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// Duration formats d with three significant digits, as in a report's tables: "812 µs".
func Duration(d time.Duration) string {
	switch {
	case d < 999500*time.Nanosecond:
		return figures(float64(d)/1e3) + " µs"
	case d < 999500*time.Microsecond:
		return figures(float64(d)/1e6) + " ms"
	}
	return figures(d.Seconds()) + " s"
}

// Bytes formats n in KB, MB and so on (powers of 1000).
func Bytes(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if f < 999.5 {
			break
		}
		f, unit = f/1000, u
	}
	if unit == "B" {
		return strconv.FormatInt(n, 10) + " B"
	}
	return figures(f) + " " + unit
}

// Rate formats a number per second.
func Rate(f float64) string {
	switch {
	case f == 0:
		return "0/s"
	case f >= 999.5:
		return humanize.Comma(int64(f+0.5)) + "/s"
	case f < 0.0995:
		return strconv.FormatFloat(f, 'g', 3, 64) + "/s"
	}
	return figures(f) + "/s"
}

// Share formats a fraction as a percentage.
func Share(f float64) string {
	switch {
	case f == 0:
		return "0 %"
	case f < 0.00001:
		return "<0.001 %"
	case f < 0.01:
		return strconv.FormatFloat(f*100, 'f', 3, 64) + " %"
	}
	return figures(f*100) + " %"
}

// figures formats f with three significant digits, without an exponent.
func figures(f float64) string {
	switch {
	case f >= 99.95:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}
