package jobscmd

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// screen returns what a terminal shows after text is written to it. It implements the control sequences that live uses.
func screen(t *testing.T, text string) string {
	t.Helper()
	var lines [][]rune
	row, column := 0, 0
	for len(text) > 0 {
		switch r := []rune(text)[0]; {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text, "AKhlm")
			switch n := text[2:end]; text[end] {
			case 'A':
				row -= int(n[0] - '0')
			case 'K':
				lines[row] = lines[row][:column]
			}
			text = text[end+1:]
			continue
		case r == '\r':
			column = 0
			if row == len(lines) {
				lines = append(lines, nil)
			}
		case r == '\n':
			row, column = row+1, 0
		default:
			lines[row] = append(lines[row][:column], append([]rune{r}, lines[row][min(column+1, len(lines[row])):]...)...)
			column++
		}
		text = text[len(string([]rune(text)[0])):]
	}
	shown := ""
	for _, line := range lines {
		shown += string(line) + "\n"
	}
	return shown
}

// TestLive draws a job three times, and an error in between. Each drawing replaces the one before.
func TestLive(t *testing.T) {
	var b strings.Builder
	l := &live{w: &b, color: true}
	d := new(described)
	d.Job.ID, d.Job.Status = "update-1", "IN_PROGRESS"
	f := func(succeeded, failed, queued int64, p pace, want string) {
		t.Helper()
		d.Job.Details.Succeeded, d.Job.Details.Failed, d.Job.Details.Queued = succeeded, failed, queued
		if err := l.draw(d, p); err != nil {
			t.Fatal(err)
		}
		if got := screen(t, b.String()); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	f(0, 0, 0, pace{}, "update-1  IN_PROGRESS\n["+strings.Repeat(" ", 50)+"] 0 % of 0 things ended\n\n\n")
	f(1200, 1, 1199, pace{perSecond: 20, left: 60 * time.Second}, "update-1  IN_PROGRESS\n["+strings.Repeat("#", 25)+"!"+strings.Repeat(".", 24)+"] 50 % of 2,400 things ended\n"+
		"SUCCEEDED 1,200  QUEUED 1,199  FAILED 1\n20 a second, about 60 s left\n")
	l.showError(errors.New("no route \x1b to host"))
	if got := screen(t, b.String()); !strings.HasSuffix(got, "FAILED 1\nno route \ufffd to host; trying again\n") {
		t.Errorf("after an error:\n%s", got)
	}
	d.Job.Status, d.Job.Completed = "COMPLETED", 1795435200
	f(2399, 1, 0, pace{perSecond: 20}, "update-1  COMPLETED\n["+strings.Repeat("#", 49)+"!] 100 % of 2,400 things ended\n"+
		"SUCCEEDED 2,399  FAILED 1\nended 2026-11-23T12:00:00Z\n")
	if !strings.Contains(b.String(), "\x1b[32m#") {
		t.Error("the bar has no color")
	}
	b.Reset()
	if err := (&live{w: &b}).draw(d, pace{}); err != nil || strings.Contains(b.String(), "m#") {
		t.Errorf("without colors: %v %q", err, b.String())
	}
}

func TestWords(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(things(1), "1 thing")
	f(things(0), "0 things")
	f(cancels(counts{"QUEUED": 1, "IN_PROGRESS": 1}, false), "This cancels 1 queued execution and leaves 1 in progress. It cannot be undone.")
	f(cancels(counts{"QUEUED": 2000, "IN_PROGRESS": 1}, true), "This cancels 2,000 queued executions and 1 in progress. It cannot be undone.")
	f(deletes(counts{"QUEUED": 1}), "This deletes 1 execution (1 pending) with the job. It cannot be undone.")
	f(deletes(counts{"FAILED": 2}), "This deletes 2 executions (0 pending) with the job. It cannot be undone.")
	f(span(59*time.Second), "59 s")
	f(span(10*time.Minute), "10 min")
	f(span(3*time.Hour), "3.0 h")
	f(span(96*time.Hour), "4.0 days")
	f(rate(123.4), "123 a second")
	f(rate(1.25), "1.2 a second")
	f(rate(0.5), "30.0 a minute")
	f(rate(0.001), "3.6 an hour")
	f(clean("a\x1b[2J\u202e\u00e4\n"), "a\ufffd[2J\ufffd\u00e4\ufffd")
	f(epoch(0).String(), "-")
}

// TestPace checks that the rate is measured over the last minute.
func TestPace(t *testing.T) {
	f := new(follower)
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(at time.Duration, ended int64) {
		f.add(sample{begin.Add(at), counts{"SUCCEEDED": ended, "QUEUED": 1000 - ended}})
	}
	add(0, 0)
	if p := f.pace(); p.String() != "" {
		t.Errorf("the pace of one sample: %s", p)
	}
	for i := range int64(120) { // fast at first, then one a second
		add(time.Duration(i)*time.Second, min(500, 50*i)+i)
	}
	if p := f.pace(); p.String() != "1.0 a second, about 6 min left" {
		t.Errorf("after two minutes: %s", p)
	}
	f.samples = nil
	add(0, 10) // long ago
	add(time.Hour, 10)
	add(time.Hour+30*time.Second, 40)
	if p := f.pace(); p.String() != "30.0 a minute, about 32 min left" {
		t.Errorf("after an hour without progress: %s", p)
	}
	if len(f.samples) > 62 {
		t.Errorf("%d samples are kept, want at most 62", len(f.samples))
	}
}
