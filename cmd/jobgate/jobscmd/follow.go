package jobscmd

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
)

// rateOver is the period over which a rate is measured. maxRetryPause is the longest pause after failed polls.
const (
	rateOver      = time.Minute
	maxRetryPause = 30 * time.Second
)

// follower follows a job until it ends.
type follower struct {
	*run
	id      string
	every   time.Duration
	samples []sample // of the last rateOver, and one older
	shown   string   // the job's status in the last line
}

// follow shows the job until it ends, and returns its final state. If it is interrupted, it returns the last known state and
// errInterrupted.
func (f *follower) follow(d *described) (*described, error) {
	out, _ := f.cmd.OutOrStdout().(*os.File)
	onTerminal := !f.asJSON && out != nil && isatty.IsTerminal(out.Fd()) && os.Getenv("TERM") != "dumb"
	if f.every <= 0 {
		if f.every = 5 * time.Second; onTerminal {
			f.every = time.Second
		}
	}
	history, err := f.history(f.id)
	if err != nil {
		return d, err
	}
	for _, one := range history {
		f.add(one)
	}
	if onTerminal {
		screen := &live{w: out, color: os.Getenv("NO_COLOR") == ""}
		return f.each(d, screen.draw, screen.showError)
	}
	return f.each(d, f.line, func(err error) { f.note("jobgate: %v; trying again", err) })
}

// each polls the job and calls show, until the job ends. It calls onError with the first error of consecutive failed polls.
func (f *follower) each(d *described, show func(*described, pace) error, onError func(error)) (*described, error) {
	pause, polled := f.every, true
	for {
		if polled {
			f.add(sample{time.Now(), d.counts()})
			if err := show(d, f.pace()); err != nil {
				return d, err
			}
			if d.over() {
				return d, nil
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-f.ctx.Done():
			timer.Stop()
			return d, errInterrupted
		case <-timer.C:
		}
		next, err := f.describe(f.id)
		var refused *apiError
		switch {
		case err == nil:
			d, polled, pause = next, true, f.every
		case errors.Is(err, errInterrupted):
			return d, err
		case errors.As(err, &refused) && refused.status < 500: // deleted, or the key was revoked
			return d, err
		default:
			if pause == f.every {
				onError(err)
			}
			polled, pause = false, min(2*pause, max(maxRetryPause, f.every))
		}
	}
}

// add adds a sample, and drops those that are too old for the rate.
func (f *follower) add(one sample) {
	f.samples = append(f.samples, one)
	for len(f.samples) > 2 && one.at.Sub(f.samples[1].at) >= rateOver {
		f.samples = f.samples[1:]
	}
}

// pace is how fast executions end. The zero pace means that none has ended recently.
type pace struct {
	perSecond float64
	left      time.Duration // until all have ended, at that rate
}

// pace returns the pace over the last rateOver.
func (f *follower) pace() (p pace) {
	first, last := f.samples[0], f.samples[len(f.samples)-1]
	from, begin := float64(first.ended()), first.at
	if before := rateOver - last.at.Sub(first.at); before < 0 && len(f.samples) > 2 { // interpolate between the two samples around the start of the period
		next := f.samples[1]
		begin = last.at.Add(-rateOver)
		from += float64(next.ended()-first.ended()) * float64(begin.Sub(first.at)) / float64(next.at.Sub(first.at))
	}
	if past, ended := last.at.Sub(begin).Seconds(), float64(last.ended())-from; ended > 0 && past > 0 {
		p.perSecond = ended / past
		p.left = time.Duration(float64(last.pending()) / p.perSecond * float64(time.Second))
	}
	return p
}

// String returns the pace in words, "" for the zero pace.
func (p pace) String() string {
	switch {
	case p.perSecond == 0:
		return ""
	case p.left == 0:
		return rate(p.perSecond)
	}
	return rate(p.perSecond) + ", about " + span(p.left) + " left"
}

// rate formats a rate per second, minute or hour, whichever avoids a small fraction.
func rate(perSecond float64) string {
	switch {
	case perSecond >= 10:
		return humanize.Comma(int64(perSecond+0.5)) + " a second"
	case perSecond >= 1:
		return fmt.Sprintf("%.1f a second", perSecond)
	case perSecond*60 >= 1:
		return fmt.Sprintf("%.1f a minute", perSecond*60)
	}
	return fmt.Sprintf("%.1f an hour", perSecond*3600)
}

// line writes a line if the job has changed since the last one.
func (f *follower) line(d *described, p pace) error {
	n := len(f.samples)
	if n > 1 && f.samples[n-2].String() == f.samples[n-1].String() && f.shown == d.Job.Status {
		return nil
	}
	f.shown = d.Job.Status
	if f.asJSON {
		return f.printf("%s\n", d.text)
	}
	text := time.Now().UTC().Format(time.RFC3339) + " " + d.Job.ID + " " + d.Job.Status
	if c := d.counts().String(); c != "" {
		text += " " + c
	}
	if s := p.String(); s != "" && !d.over() {
		text += " (" + s + ")"
	}
	return f.printf("%s\n", text)
}
