package model

import (
	"testing"

	"jobgate/gateway/jobs"
)

// ranges are the members whose numbers jobs.Settings checks too, and settings with v in that member.
var ranges = []struct {
	shape, member string
	with          func(v float64) jobs.Settings
}{
	{"PresignedUrlConfig", "expiresInSec", func(v float64) jobs.Settings {
		return jobs.Settings{Presign: &jobs.PresignedURLConfig{ExpiresInSec: int64(v)}}
	}},
	{"JobExecutionsRolloutConfig", "maximumPerMinute", func(v float64) jobs.Settings {
		return jobs.Settings{Rollout: &jobs.RolloutConfig{MaximumPerMinute: int64(v)}}
	}},
	{"ExponentialRolloutRate", "baseRatePerMinute", func(v float64) jobs.Settings {
		return withRate(jobs.ExponentialRate{BaseRatePerMinute: int64(v), IncrementFactor: 2})
	}},
	{"ExponentialRolloutRate", "incrementFactor", func(v float64) jobs.Settings {
		return withRate(jobs.ExponentialRate{BaseRatePerMinute: 1, IncrementFactor: v})
	}},
	{"AbortCriteria", "thresholdPercentage", func(v float64) jobs.Settings {
		return withAbort(jobs.AbortCriteria{ThresholdPercentage: v, MinNumberOfExecutedThings: 1})
	}},
	{"AbortCriteria", "minNumberOfExecutedThings", func(v float64) jobs.Settings {
		return withAbort(jobs.AbortCriteria{ThresholdPercentage: 1, MinNumberOfExecutedThings: int64(v)})
	}},
	{"TimeoutConfig", "inProgressTimeoutInMinutes", func(v float64) jobs.Settings {
		return jobs.Settings{Timeout: &jobs.TimeoutConfig{InProgressTimeoutInMinutes: int64(v)}}
	}},
	{"RetryCriteria", "numberOfRetries", func(v float64) jobs.Settings {
		return jobs.Settings{Retry: &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: int64(v)}}}}
	}},
}

func withRate(e jobs.ExponentialRate) jobs.Settings {
	e.RateIncreaseCriteria.NumberOfNotifiedThings = 1
	return jobs.Settings{Rollout: &jobs.RolloutConfig{ExponentialRate: &e}}
}

func withAbort(a jobs.AbortCriteria) jobs.Settings {
	a.FailureType, a.Action = jobs.FailureAll, jobs.ActionCancel
	return jobs.Settings{Abort: &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{a}}}
}

// Package jobs has the same bounds as AWS's model.
func TestRangesOfSettings(t *testing.T) {
	m, err := Control()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ranges {
		s := memberOf(t, m, r.shape, r.member)
		f := func(v float64, valid bool) {
			t.Helper()
			settings := r.with(v)
			if err := settings.Validate(); (err == nil) != valid {
				t.Errorf("%s.%s = %v: %v; the model says %+v", r.shape, r.member, v, err, s.Bounds)
			}
		}
		step := 1.0
		if s.Kind == KindDouble {
			step = 0.1
		}
		if !s.Bounds.HasMin && !s.Bounds.HasMax {
			t.Errorf("%s.%s has no range", r.shape, r.member)
		}
		if s.Bounds.HasMax {
			f(s.Bounds.Max, true)
			f(s.Bounds.Max+step, false)
		}
		if s.Bounds.HasMin {
			f(s.Bounds.Min, true)
			f(min(s.Bounds.Min-step, 0)-step, false) // 0 means not set
			if s.Bounds.Min > step {
				f(s.Bounds.Min-step, false)
			}
		}
	}
	if s := memberOf(t, m, "JobExecutionsRetryConfig", "criteriaList"); s.Bounds.Max != 2 {
		t.Errorf("the model takes %v criteria of retries, jobs one for each of two failure types", s.Bounds.Max)
	}
}

func memberOf(t *testing.T, m *Model, shape, member string) *Shape {
	t.Helper()
	if s := m.Shapes[shape]; s != nil {
		for _, candidate := range s.Members {
			if candidate.Name == member {
				return candidate.Shape
			}
		}
	}
	t.Fatalf("the model has no %s.%s", shape, member)
	return nil
}
