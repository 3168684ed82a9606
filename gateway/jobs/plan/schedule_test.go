package plan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // a Sunday

func TestScheduleOpen(t *testing.T) {
	f := func(c jobs.SchedulingConfig, at string, wantOpen bool, wantChange string) {
		t.Helper()
		s, err := ParseSchedule(&c)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(jobs.TimeFormat, at)
		if err != nil {
			t.Fatal(err)
		}
		open, change := s.Open(now)
		got := ""
		if !change.IsZero() {
			got = change.Format(jobs.TimeFormat)
		}
		if open != wantOpen || got != wantChange {
			t.Errorf("%+v at %s: open %v until %q, want %v until %q", c, at, open, got, wantOpen, wantChange)
		}
	}
	f(jobs.SchedulingConfig{}, "2026-03-01 12:00", true, "")
	start := jobs.SchedulingConfig{StartTime: "2026-03-02 10:00"}
	f(start, "2026-03-01 12:00", false, "2026-03-02 10:00")
	f(start, "2026-03-02 10:00", true, "")

	night := jobs.SchedulingConfig{MaintenanceWindows: []jobs.MaintenanceWindow{{StartTime: "0 22 * * ? *", DurationInMinutes: 240}}}
	f(night, "2026-03-01 21:59", false, "2026-03-01 22:00")
	f(night, "2026-03-01 22:00", true, "2026-03-02 02:00")
	f(night, "2026-03-02 01:59", true, "2026-03-02 02:00") // over midnight
	f(night, "2026-03-02 02:00", false, "2026-03-02 22:00")

	two := jobs.SchedulingConfig{MaintenanceWindows: []jobs.MaintenanceWindow{
		{StartTime: "0 10 * * ? *", DurationInMinutes: 60}, {StartTime: "30 10 * * ? *", DurationInMinutes: 60},
	}}
	f(two, "2026-03-01 10:15", true, "2026-03-01 11:00")
	f(two, "2026-03-01 10:45", true, "2026-03-01 11:30")
	f(two, "2026-03-01 11:30", false, "2026-03-02 10:00")

	// A window that began before the start does not count; the next does.
	both := jobs.SchedulingConfig{StartTime: "2026-03-02 23:00", MaintenanceWindows: night.MaintenanceWindows}
	f(both, "2026-03-01 22:30", false, "2026-03-02 23:00")
	f(both, "2026-03-02 23:00", false, "2026-03-03 22:00")
	f(both, "2026-03-03 22:00", true, "2026-03-04 02:00")
}

func TestScheduleUpcoming(t *testing.T) {
	f := func(c *jobs.SchedulingConfig, want ...string) {
		t.Helper()
		s, err := ParseSchedule(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.Upcoming(noon), ", "); got != strings.Join(want, ", ") {
			t.Errorf("%+v: %s", c, got)
		}
	}
	f(nil)
	f(&jobs.SchedulingConfig{StartTime: "2026-03-02 10:00"}, "2026-03-02 10:00")
	f(&jobs.SchedulingConfig{StartTime: "2026-02-02 10:00"})
	daily := []jobs.MaintenanceWindow{{StartTime: "0 10 * * ? *", DurationInMinutes: 60}}
	f(&jobs.SchedulingConfig{MaintenanceWindows: daily}, "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00",
		"2026-03-05 10:00", "2026-03-06 10:00", "2026-03-07 10:00", "2026-03-08 10:00")
	f(&jobs.SchedulingConfig{StartTime: "2026-03-05 10:00", EndTime: "2026-03-07 10:00", MaintenanceWindows: daily},
		"2026-03-05 10:00", "2026-03-06 10:00")
}

func TestScheduleValidate(t *testing.T) {
	f := func(c jobs.SchedulingConfig, want string) {
		t.Helper()
		_, err := ValidateSchedule(&c, noon)
		switch {
		case want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, jobs.ErrInvalidRequest)):
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	window := func(start string, minutes int64) jobs.SchedulingConfig {
		return jobs.SchedulingConfig{MaintenanceWindows: []jobs.MaintenanceWindow{{StartTime: start, DurationInMinutes: minutes}}}
	}
	f(jobs.SchedulingConfig{}, "")
	f(jobs.SchedulingConfig{StartTime: "2026-03-01 12:30", EndTime: "2026-03-01 13:00", EndBehavior: jobs.EndCancel}, "")
	f(jobs.SchedulingConfig{StartTime: "2026-03-01T12:30:00Z"}, "")
	f(jobs.SchedulingConfig{StartTime: "2026-03-01 12:29"}, "at least 30 minutes")
	f(jobs.SchedulingConfig{StartTime: "2027-03-03 12:00"}, "one year")
	f(jobs.SchedulingConfig{StartTime: "tomorrow"}, `Invalid startTime "tomorrow"`)
	f(jobs.SchedulingConfig{EndTime: "2026-03-01 12:29"}, "endTime must be at least 30 minutes")
	f(jobs.SchedulingConfig{StartTime: "2026-03-01 13:00", EndTime: "2026-03-01 13:29"}, "endTime must be at least 30 minutes")
	f(jobs.SchedulingConfig{EndTime: "2029-03-01 13:29"}, "two years")
	f(jobs.SchedulingConfig{StartTime: "2027-03-01 12:00", EndTime: "2028-03-02 12:00"}, "")
	f(jobs.SchedulingConfig{StartTime: "2027-03-01 12:00", EndTime: "2028-03-04 12:00"}, "two years from now")
	f(jobs.SchedulingConfig{EndBehavior: jobs.EndCancel}, "") // without effect, as with AWS
	f(jobs.SchedulingConfig{EndTime: "2026-03-02 12:29", EndBehavior: "EXPLODE"}, "Invalid endBehavior")
	f(window("0 10 * * ? *", 1430), "")
	f(window("0 10 * * ? *", 1431), "durationInMinutes")
	f(window("0 10 * * ? *", 0), "durationInMinutes")
	f(window("whenever", 10), "Invalid startTime of a maintenance window")
	f(window("0 10 29 2 ? *", 10), "")
	f(window("0 10 31 2 ? *", 10), "No maintenance window of the job ever opens")
	f(window("0 10 * * ? 2025", 10), "No maintenance window of the job ever opens")
	f(window("0 11 1 3 ? 2026", 90), "") // it is open now, and never again
}
