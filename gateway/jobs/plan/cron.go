package plan

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Cron is a recurring time, to the minute, in UTC. It is immutable.
type Cron struct {
	minute, hour, day, month, weekday uint64 // bit n: matches n
	years                             map[int]bool
	anyDay, anyWeekday                bool
}

// cronField is the range of one field and the names that it accepts.
type cronField struct {
	name     string
	min, max int
	names    string // three letters each, the first is min
}

// The fields in order. AWS counts weekdays 1-7 from Sunday, cron 0-7 from Sunday.
var (
	cronMinute     = cronField{"minutes", 0, 59, ""}
	cronHour       = cronField{"hours", 0, 23, ""}
	cronDay        = cronField{"day of month", 1, 31, ""}
	cronMonth      = cronField{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"}
	cronWeekday    = cronField{"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT"}
	cronWeekdayAWS = cronField{"day of week", 1, 7, "SUNMONTUEWEDTHUFRISAT"}
	cronYear       = cronField{"year", 1970, 2199, ""}
)

// ParseCron parses AWS's six fields (minutes hours day-of-month month day-of-week year), with or without cron( ) around
// them, or the five fields of crontab(5). Fields accept *, ?, lists, ranges, steps and, for months and weekdays, names.
// AWS's L, W and # are rejected. AWS does not document the syntax of maintenance windows (AWS.md §6).
func ParseCron(text string) (*Cron, error) {
	body := strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(body, "cron("); ok {
		if body, ok = strings.CutSuffix(rest, ")"); !ok {
			return nil, fmt.Errorf("cannot read cron expression %q: no closing parenthesis", text)
		}
	}
	fields := strings.Fields(body)
	weekday := cronWeekdayAWS
	switch len(fields) {
	case 5:
		weekday = cronWeekday
	case 6:
	default:
		return nil, fmt.Errorf("cannot read cron expression %q: %d fields, not 6 (minutes hours day-of-month month day-of-week year)", text, len(fields))
	}
	c := &Cron{anyDay: unrestricted(fields[2]), anyWeekday: unrestricted(fields[4])}
	masks := []*uint64{&c.minute, &c.hour, &c.day, &c.month, &c.weekday}
	kinds := []cronField{cronMinute, cronHour, cronDay, cronMonth, weekday}
	for i, f := range kinds {
		err := f.each(fields[i], func(n int) { *masks[i] |= 1 << n })
		if err != nil {
			return nil, fmt.Errorf("cannot read cron expression %q: %w", text, err)
		}
	}
	if len(fields) == 6 {
		c.weekday >>= 1 // from 1 = Sunday to 0 = Sunday
		if !unrestricted(fields[5]) {
			c.years = make(map[int]bool)
			if err := cronYear.each(fields[5], func(n int) { c.years[n] = true }); err != nil {
				return nil, fmt.Errorf("cannot read cron expression %q: %w", text, err)
			}
		}
	} else if c.weekday&(1<<7) != 0 {
		c.weekday |= 1 // 7 is Sunday too
	}
	return c, nil
}

func unrestricted(field string) bool { return field == "*" || field == "?" }

// each calls yield with every value that field matches.
func (f cronField) each(field string, yield func(int)) error {
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return fmt.Errorf("bad step %q in %s", stepText, f.name)
			}
			step = min(n, f.max+1)
		}
		lo, hi, err := f.span(span, stepped)
		if err != nil {
			return err
		}
		for n := lo; n <= hi; n += step {
			yield(n)
		}
	}
	return nil
}

// span returns the bounds of *, n, or n-m; with a step, n stands for n to the end.
func (f cronField) span(text string, stepped bool) (lo, hi int, err error) {
	if unrestricted(text) {
		return f.min, f.max, nil
	}
	from, to, ranged := strings.Cut(text, "-")
	if lo, err = f.value(from); err != nil {
		return 0, 0, err
	}
	switch hi = lo; {
	case ranged:
		if hi, err = f.value(to); err != nil {
			return 0, 0, err
		}
	case stepped:
		hi = f.max
	}
	if hi < lo {
		return 0, 0, fmt.Errorf("bad range %q in %s", text, f.name)
	}
	return lo, hi, nil
}

// value reads a number or a name.
func (f cronField) value(text string) (int, error) {
	if len(text) == 3 && f.names != "" {
		if i := strings.Index(f.names, strings.ToUpper(text)); i >= 0 && i%3 == 0 {
			return f.min + i/3, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("bad value %q in %s (%d to %d)", text, f.name, f.min, f.max)
	}
	return n, nil
}

// Next returns the first time after t, or the zero time if there is none within eight years (which include every leap
// day).
func (c *Cron) Next(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	first := t.Hour()*60 + t.Minute()
	for range 8*366 + 1 {
		if c.matchesDay(day) {
			if m, ok := c.minuteOfDay(first); ok {
				return day.Add(time.Duration(m) * time.Minute)
			}
		}
		day, first = day.AddDate(0, 0, 1), 0
	}
	return time.Time{}
}

// matchesDay follows cron: if day of month and day of week are both restricted, one match is enough.
func (c *Cron) matchesDay(d time.Time) bool {
	if c.month&(1<<d.Month()) == 0 || (c.years != nil && !c.years[d.Year()]) {
		return false
	}
	day, weekday := c.day&(1<<d.Day()) != 0, c.weekday&(1<<d.Weekday()) != 0
	if c.anyDay || c.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

// minuteOfDay returns the first matching minute of a day from minute first on.
func (c *Cron) minuteOfDay(first int) (int, bool) {
	minute := first % 60
	for hour := first / 60; hour < 24; hour++ {
		if c.hour&(1<<hour) != 0 {
			if rest := c.minute >> minute << minute; rest != 0 {
				return hour*60 + bits.TrailingZeros64(rest), true
			}
		}
		minute = 0
	}
	return 0, false
}
