package jobscmd

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
)

// statuses lists the statuses of executions, in display order.
var statuses = []string{"SUCCEEDED", "IN_PROGRESS", "QUEUED", "FAILED", "TIMED_OUT", "REJECTED", "CANCELED", "REMOVED"}

// counts are executions by status.
type counts map[string]int64

func (c counts) total() (n int64) {
	for _, v := range c {
		n += v
	}
	return n
}

func (c counts) pending() int64 { return c["QUEUED"] + c["IN_PROGRESS"] }

func (c counts) ended() int64 { return c.total() - c.pending() }

func (c counts) failed() int64 { return c["FAILED"] + c["TIMED_OUT"] + c["REJECTED"] }

// String lists the counts that are not 0: "SUCCEEDED=2 QUEUED=1".
func (c counts) String() string {
	var words []string
	for _, status := range statuses {
		if n := c[status]; n != 0 {
			words = append(words, fmt.Sprintf("%s=%d", status, n))
		}
	}
	return strings.Join(words, " ")
}

// clean replaces unprintable characters, which could move a terminal's cursor or reorder its text. The text is untrusted.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// epoch is a time as the control plane writes it: seconds since 1970.
type epoch float64

func (e epoch) time() time.Time { return time.UnixMilli(int64(math.Round(float64(e) * 1000))).UTC() }

// String returns the time, "-" for none.
func (e epoch) String() string {
	if e == 0 {
		return "-"
	}
	return e.time().Format(time.RFC3339)
}

// things formats a number of things.
func things(n int64) string { return number(n, "thing") }

// number formats a number of what noun names.
func number(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
}

// span formats a rounded duration.
func span(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(math.Ceil(d.Seconds())))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(math.Round(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// table writes rows of cells under a header, in aligned columns.
func (r *run) table(head string, rows [][]string) error {
	w := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.ReplaceAll(head, " ", "\t")) // Flush reports the error
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
