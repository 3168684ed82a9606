package plan

import (
	"strings"
	"testing"
	"time"
)

func TestCronNext(t *testing.T) {
	f := func(expression, after string, want ...string) {
		t.Helper()
		c, err := ParseCron(expression)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("2006-01-02 15:04:05", after)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			at = c.Next(at)
			if got := at.Format("Mon 2006-01-02 15:04:05"); got != w {
				t.Errorf("%s after %s: %s, want %s", expression, after, got, w)
			}
		}
	}
	f("0 18 * * ? *", "2026-03-01 12:00:00", "Sun 2026-03-01 18:00:00", "Mon 2026-03-02 18:00:00")
	f("cron(0 18 ? * MON *)", "2026-03-01 12:00:00", "Mon 2026-03-02 18:00:00", "Mon 2026-03-09 18:00:00")
	f("0 18 ? * 2 *", "2026-03-01 12:00:00", "Mon 2026-03-02 18:00:00") // AWS: 1 is Sunday
	f("0 18 * * 1", "2026-03-01 12:00:00", "Mon 2026-03-02 18:00:00")   // crontab: 0 is Sunday
	f("0 18 * * 7", "2026-03-01 12:00:00", "Sun 2026-03-01 18:00:00")   // 7 is Sunday too
	f("0 18 * * 0", "2026-03-01 12:00:00", "Sun 2026-03-01 18:00:00")
	f("*/20 9-10 * * *", "2026-03-01 09:30:00", "Sun 2026-03-01 09:40:00", "Sun 2026-03-01 10:00:00",
		"Sun 2026-03-01 10:20:00", "Sun 2026-03-01 10:40:00", "Mon 2026-03-02 09:00:00")
	f("5/25 0 * * *", "2026-03-01 00:00:00", "Sun 2026-03-01 00:05:00", "Sun 2026-03-01 00:30:00", "Sun 2026-03-01 00:55:00")
	f("1/9223372036854775807 */90 * * *", "2026-03-01 12:00:00", "Mon 2026-03-02 00:01:00", "Tue 2026-03-03 00:01:00")
	f("0 0 29 2 *", "2026-03-01 00:00:00", "Tue 2028-02-29 00:00:00", "Sun 2032-02-29 00:00:00")
	f("0 0 13 * FRI", "2026-03-01 00:00:00", "Fri 2026-03-06 00:00:00", "Fri 2026-03-13 00:00:00", "Fri 2026-03-20 00:00:00")
	f("0 0 13 * 5-7", "2026-03-02 00:00:00", "Fri 2026-03-06 00:00:00", "Sat 2026-03-07 00:00:00", "Sun 2026-03-08 00:00:00", "Fri 2026-03-13 00:00:00")
	f("0 0 1 JAN,jul ? *", "2026-03-01 00:00:00", "Wed 2026-07-01 00:00:00", "Fri 2027-01-01 00:00:00")
	f("0 0 1 1 ? 2027-2028", "2026-03-01 00:00:00", "Fri 2027-01-01 00:00:00", "Sat 2028-01-01 00:00:00", "Mon 0001-01-01 00:00:00")
	f("* * * * *", "2026-03-01 12:00:00", "Sun 2026-03-01 12:01:00")
	f("* * * * *", "2026-03-01 12:00:59", "Sun 2026-03-01 12:01:00")
	f("59 23 31 12 *", "2026-12-31 23:59:00", "Fri 2027-12-31 23:59:00")
	f("0 0 30 2 *", "2026-03-01 00:00:00", "Mon 0001-01-01 00:00:00") // never
}

func TestCronRefused(t *testing.T) {
	f := func(expression, want string) {
		t.Helper()
		if _, err := ParseCron(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expression, err, want)
		}
	}
	f("", "0 fields, not 6")
	f("* * * *", "4 fields")
	f("cron(0 0 * * ? *", "no closing parenthesis")
	f("60 * * * *", `bad value "60" in minutes (0 to 59)`)
	f("0 24 * * *", "in hours")
	f("0 0 0 * *", "in day of month")
	f("0 0 L * ? *", `bad value "L" in day of month`)
	f("0 0 LW * ? *", `bad value "LW" in day of month`)
	f("0 0 15W * ? *", `bad value "15W" in day of month`)
	f("0 0 1W * *", "in day of month")
	f("0 0 W * ? *", "in day of month")
	f("0 0 ? * 6L *", `bad value "6L" in day of week`)
	f("0 0 ? * 2#1 *", "day of week")
	f("0 0 ? * 0 *", "day of week (1 to 7)")
	f("0 0 * 13 *", "in month")
	f("0 0 * * MOON", "day of week")
	f("5-1 * * * *", "bad range")
	f("*/0 * * * *", "bad step")
	f("*/x * * * *", "bad step")
	f("0 0 1 1 ? 1969", "in year")
	f("0 0 1 1 ? soon", "in year")
	f(",, * * * *", "minutes")
}

func FuzzParseCron(f *testing.F) {
	for _, s := range []string{"0 18 ? * MON *", "cron(*/5 1-3,7 1/2 JAN-MAR ? 2026-2030)", "* * * * 7", "1/9223372036854775807 * * * ? 1970/9223372036854775807"} {
		f.Add(s)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCron(s)
		if err != nil {
			return
		}
		next := c.Next(at)
		if !next.IsZero() && (!next.After(at) || next.Second() != 0) {
			t.Errorf("%q: next is %v", s, next)
		}
		if !next.IsZero() && !c.Next(next.Add(-time.Minute)).Equal(next) {
			t.Errorf("%q: Next does not return %v from a minute before", s, next)
		}
	})
}
