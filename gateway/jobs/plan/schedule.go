package plan

import (
	"slices"
	"time"

	"jobgate/gateway/jobs"
)

// Schedule is a parsed SchedulingConfig.
type Schedule struct {
	start, end time.Time // zero: none
	windows    []window
}

// window is a parsed maintenance window.
type window struct {
	cron   *Cron
	length time.Duration
}

// Bounds of a schedule (AWS.md §6).
const (
	minLead    = 30 * time.Minute
	maxStart   = 366 * 24 * time.Hour
	maxEnd     = 2 * maxStart
	maxWindow  = 1430 // minutes
	nextListed = 7    // scheduledJobRollouts
	maxWindows = 10
)

// ParseSchedule reads c; nil gives a schedule that is always open.
func ParseSchedule(c *jobs.SchedulingConfig) (Schedule, error) {
	var s Schedule
	if c == nil {
		return s, nil
	}
	var err error
	if s.start, err = parseTime("startTime", c.StartTime); err != nil {
		return s, err
	}
	if s.end, err = parseTime("endTime", c.EndTime); err != nil {
		return s, err
	}
	for _, w := range c.MaintenanceWindows {
		cron, err := ParseCron(w.StartTime)
		if err != nil {
			return s, jobs.Errorf(jobs.ErrInvalidRequest, "Invalid startTime of a maintenance window: %v", err)
		}
		if w.DurationInMinutes < 1 || w.DurationInMinutes > maxWindow {
			return s, jobs.Errorf(jobs.ErrInvalidRequest, "durationInMinutes must be between 1 and %d.", maxWindow)
		}
		s.windows = append(s.windows, window{cron, time.Duration(w.DurationInMinutes) * time.Minute})
	}
	return s, nil
}

// parseTime reads "YYYY-MM-DD HH:MM", or RFC 3339.
func parseTime(member, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{jobs.TimeFormat, "2006-01-02T15:04", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, jobs.Errorf(jobs.ErrInvalidRequest, "Invalid %s %q: the format is YYYY-MM-DD HH:MM.", member, text)
}

// ValidateSchedule checks c against AWS's bounds at creation.
func ValidateSchedule(c *jobs.SchedulingConfig, now time.Time) (Schedule, error) {
	s, err := ParseSchedule(c)
	if err != nil || c == nil {
		return s, err
	}
	switch c.EndBehavior {
	case "", jobs.EndStopRollout, jobs.EndCancel, jobs.EndForceCancel:
	default:
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "Invalid endBehavior %q.", c.EndBehavior)
	}
	from := now
	if !s.start.IsZero() {
		from = s.start
	}
	switch {
	case len(s.windows) > maxWindows:
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "A job has at most %d maintenance windows.", maxWindows)
	case !s.start.IsZero() && s.start.Before(now.Add(minLead)):
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "startTime must be at least 30 minutes from now.")
	case s.start.After(now.Add(maxStart)):
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "startTime must be at most one year from now.")
	case !s.end.IsZero() && s.end.Before(from.Add(minLead)):
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "endTime must be at least 30 minutes after startTime and from now.")
	case s.end.After(now.Add(maxEnd)):
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "endTime must be at most two years from now.")
	case s.Never(from):
		return s, jobs.Errorf(jobs.ErrInvalidRequest, "No maintenance window of the job ever opens.")
	}
	return s, nil
}

// Never reports whether no window opens after from, because its years have passed or its day does not exist.
func (s *Schedule) Never(from time.Time) bool {
	return len(s.windows) > 0 && s.openUntil(from).IsZero() && s.opens(from).IsZero()
}

// Open reports whether the job may run at now, and when that changes next (zero: never). It ignores the end time.
func (s *Schedule) Open(now time.Time) (bool, time.Time) {
	if now.Before(s.start) {
		return false, s.start
	}
	if len(s.windows) == 0 {
		return true, time.Time{}
	}
	if until := s.openUntil(now); !until.IsZero() {
		return true, until
	}
	return false, s.opens(now)
}

// openUntil returns the end of the window that contains now; zero if there is none.
func (s *Schedule) openUntil(now time.Time) time.Time {
	var until time.Time
	for _, w := range s.windows {
		// The first start after now-length is that of the earliest window still open.
		begin := w.cron.Next(now.Add(-w.length))
		for !begin.IsZero() && !begin.After(now) {
			if end := begin.Add(w.length); !begin.Before(s.start.Truncate(time.Minute)) && end.After(until) {
				until = end
			}
			begin = w.cron.Next(begin)
		}
	}
	return until
}

// opens returns the first start of a window after t, at or after the schedule's start.
func (s *Schedule) opens(t time.Time) time.Time {
	if t.Before(s.start) {
		t = s.start.Add(-time.Minute)
	}
	var first time.Time
	for _, w := range s.windows {
		if n := w.cron.Next(t); !n.IsZero() && (first.IsZero() || n.Before(first)) {
			first = n
		}
	}
	return first
}

// Upcoming lists the next starts, for scheduledJobRollouts.
func (s *Schedule) Upcoming(now time.Time) []string {
	var starts []time.Time
	switch {
	case len(s.windows) > 0:
		for t := s.opens(now); !t.IsZero() && len(starts) < nextListed; t = s.opens(t) {
			if !s.end.IsZero() && !t.Before(s.end) {
				break
			}
			starts = append(starts, t)
		}
	case s.start.After(now):
		starts = append(starts, s.start)
	}
	slices.SortFunc(starts, time.Time.Compare)
	texts := make([]string, len(starts))
	for i, t := range starts {
		texts[i] = t.Format(jobs.TimeFormat)
	}
	return texts
}

// Ahead returns a schedule without the times before now; nil if nothing is left.
func Ahead(c *jobs.SchedulingConfig, now time.Time) *jobs.SchedulingConfig {
	if c == nil {
		return nil
	}
	left := *c
	if start, err := parseTime("startTime", c.StartTime); err == nil && !start.After(now) {
		left.StartTime = ""
	}
	if end, err := parseTime("endTime", c.EndTime); err == nil && !end.After(now) {
		left.EndTime, left.EndBehavior = "", ""
	}
	if left.StartTime == "" && left.EndTime == "" && len(left.MaintenanceWindows) == 0 {
		return nil
	}
	return &left
}
