package load

import "time"

// clock counts the time since a run began. All times of a run are such durations:
// they are cheaper to compare and subtract than a time.Time.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() time.Duration { return time.Since(c.start) }
