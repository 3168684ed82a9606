package jobscmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
)

// live redraws a job in place on a terminal. Line wrapping is turned off, so that long lines are cut and the number of lines
// is known.
type live struct {
	w     io.Writer
	color bool
	lines int // number of lines drawn last
}

// barWidth is the width of the bar, in characters.
const barWidth = 50

// segments are the bar's parts, with the character and the ANSI color of each.
var segments = []struct {
	status string
	mark   rune
	color  int
}{
	{"SUCCEEDED", '#', 32},
	{"FAILED", '!', 31},
	{"TIMED_OUT", '!', 31},
	{"REJECTED", '!', 31},
	{"CANCELED", 'x', 90},
	{"REMOVED", 'x', 90},
	{"IN_PROGRESS", '>', 36},
	{"QUEUED", '.', 90},
}

func (l *live) draw(d *described, p pace) error {
	n := d.counts()
	status := d.Job.Status
	if d.Job.ReasonCode != "" {
		status += " " + clean(d.Job.ReasonCode)
	}
	percent := int64(0)
	if total := n.total(); total > 0 {
		percent = 100 * (total - n.pending()) / total
	}
	figures := make([]string, 0, len(statuses))
	for _, s := range statuses {
		if n[s] > 0 {
			figures = append(figures, s+" "+humanize.Comma(n[s]))
		}
	}
	pace := p.String()
	if d.over() {
		pace = "ended " + d.Job.Completed.String()
	}
	return l.write(
		d.Job.ID+"  "+status,
		fmt.Sprintf("[%s] %d %% of %s ended", l.bar(n), percent, things(n.total())),
		strings.Join(figures, "  "),
		pace,
	)
}

// showError shows in place of the pace that the gateway could not be reached.
func (l *live) showError(err error) {
	drawn := max(l.lines, 1)
	l.lines = min(l.lines, 1)
	_ = l.write(clean(err.Error()) + "; trying again")
	l.lines = drawn
}

// write draws lines over those drawn last.
func (l *live) write(lines ...string) error {
	var b strings.Builder
	if l.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.lines)
	}
	b.WriteString("\x1b[?7l")
	for _, line := range lines {
		b.WriteString("\r" + line + "\x1b[K\n")
	}
	b.WriteString("\x1b[?7h")
	l.lines = len(lines)
	_, err := io.WriteString(l.w, b.String())
	return err
}

// bar draws the counts as a bar. A status with at least one execution has at least one character.
func (l *live) bar(n counts) string {
	total := n.total()
	if total == 0 {
		return strings.Repeat(" ", barWidth)
	}
	widths, used, widest := make([]int, len(segments)), 0, 0
	for i, s := range segments {
		if n[s.status] > 0 {
			widths[i] = max(1, int(n[s.status]*barWidth/total))
		}
		used += widths[i]
		if widths[i] > widths[widest] {
			widest = i
		}
	}
	widths[widest] += barWidth - used // the widest segment absorbs the rounding
	var b strings.Builder
	for i, s := range segments {
		part := strings.Repeat(string(s.mark), widths[i])
		if l.color && part != "" {
			part = fmt.Sprintf("\x1b[%dm%s\x1b[0m", s.color, part)
		}
		b.WriteString(part)
	}
	return b.String()
}
