package jobs

import (
	"context"
	"time"
)

// Round takes one step of everything that has one due, as Run does, at a time of the test's own.
func (s *Service) Round(ctx context.Context, now time.Time) (worked bool, err error) {
	return s.round(ctx, now)
}
