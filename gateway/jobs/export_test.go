package jobs

import (
	"context"
	"time"
)

// Round takes one step of everything that has one due, as Run does, at a time of the test's own.
func (s *Service) Round(ctx context.Context, now time.Time) (worked bool, err error) {
	return s.round(ctx, now)
}

// Compiled counts the documents that are kept compiled.
func (s *Service) Compiled() (n int) {
	s.documents.byJob.Range(func(any, any) bool { n++; return true })
	return n
}
