package jobs

import "math"

// Bounds of the configurations (AWS.md §5, §6). The edge checks shapes (lengths, patterns). This file checks combinations of
// members, and every number used by a rollout, a timer or a signature.
const (
	maxRate            = 1000
	minIncrementFactor = 1.1
	maxIncrementFactor = 5
	maxRetries         = 10
	maxRetryCriteria   = 2
)

// Validate checks the settings that are given.
func (c *Settings) Validate() error {
	for _, check := range []func() error{
		c.Presign.validate, c.Rollout.validate, c.Abort.validate, c.Timeout.validate, c.Retry.validate,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// WithDefaults returns c with missing settings taken from d.
func (c Settings) WithDefaults(d Settings) Settings {
	c.Presign = orElse(c.Presign, d.Presign)
	c.Rollout = orElse(c.Rollout, d.Rollout)
	c.Abort = orElse(c.Abort, d.Abort)
	c.Timeout = orElse(c.Timeout, d.Timeout)
	c.Retry = orElse(c.Retry, d.Retry)
	return c
}

func orElse[T any](v, otherwise *T) *T {
	if v != nil {
		return v
	}
	return otherwise
}

func (c *PresignedURLConfig) validate() error {
	if c != nil && c.ExpiresInSec != 0 && (c.ExpiresInSec < MinExpiresInSec || c.ExpiresInSec > MaxExpiresInSec) {
		return Errorf(ErrInvalidRequest, "expiresInSec must be between %d and %d.", MinExpiresInSec, MaxExpiresInSec)
	}
	return nil
}

func (c *RolloutConfig) validate() error {
	if c == nil {
		return nil
	}
	if c.MaximumPerMinute < 0 || c.MaximumPerMinute > maxRate {
		return Errorf(ErrInvalidRequest, "maximumPerMinute must be between 1 and %d.", maxRate)
	}
	e := c.ExponentialRate
	if e == nil {
		return nil
	}
	by := e.RateIncreaseCriteria
	switch {
	case e.BaseRatePerMinute < 1 || e.BaseRatePerMinute > maxRate:
		return Errorf(ErrInvalidRequest, "baseRatePerMinute must be between 1 and %d.", maxRate)
	case c.MaximumPerMinute != 0 && e.BaseRatePerMinute > c.MaximumPerMinute:
		return Errorf(ErrInvalidRequest, "baseRatePerMinute must not be above maximumPerMinute.")
	case !(e.IncrementFactor >= minIncrementFactor && e.IncrementFactor <= maxIncrementFactor): // NaN is refused too
		return Errorf(ErrInvalidRequest, "incrementFactor must be between %g and %d.", minIncrementFactor, maxIncrementFactor)
	case !decimals(e.IncrementFactor, 1):
		return Errorf(ErrInvalidRequest, "incrementFactor takes one digit after the decimal point.")
	case by.NumberOfNotifiedThings < 0 || by.NumberOfSucceededThings < 0:
		return Errorf(ErrInvalidRequest, "rateIncreaseCriteria takes numbers of at least 1.")
	case by.NumberOfNotifiedThings == 0 && by.NumberOfSucceededThings == 0:
		return Errorf(ErrInvalidRequest, "rateIncreaseCriteria needs numberOfNotifiedThings or numberOfSucceededThings.")
	}
	return nil
}

// decimals reports whether v has at most n digits after the decimal point.
func decimals(v float64, n int) bool {
	scaled := v * math.Pow10(n)
	return math.Abs(scaled-math.Round(scaled)) < 1e-9*math.Abs(scaled)
}

func (c *AbortConfig) validate() error {
	if c == nil {
		return nil
	}
	if len(c.CriteriaList) == 0 {
		return Errorf(ErrInvalidRequest, "abortConfig needs at least one criterion.")
	}
	for _, a := range c.CriteriaList {
		switch a.FailureType {
		case FailureFailed, FailureRejected, FailureTimedOut, FailureAll:
		default:
			return Errorf(ErrInvalidRequest, "Invalid failureType %q in abortConfig.", a.FailureType)
		}
		switch {
		case a.Action != ActionCancel:
			return Errorf(ErrInvalidRequest, "Invalid action %q in abortConfig.", a.Action)
		case !(a.ThresholdPercentage > 0 && a.ThresholdPercentage <= 100):
			return Errorf(ErrInvalidRequest, "thresholdPercentage must be above 0 and at most 100.")
		case !decimals(a.ThresholdPercentage, 2):
			return Errorf(ErrInvalidRequest, "thresholdPercentage takes two digits after the decimal point.")
		case a.MinNumberOfExecutedThings < 1:
			return Errorf(ErrInvalidRequest, "minNumberOfExecutedThings must be at least 1.")
		}
	}
	return nil
}

func (c *TimeoutConfig) validate() error {
	if c != nil && (c.InProgressTimeoutInMinutes < 0 || c.InProgressTimeoutInMinutes > MaxTimeoutMinutes) {
		return Errorf(ErrInvalidRequest, "inProgressTimeoutInMinutes must be between 1 and %d.", MaxTimeoutMinutes)
	}
	return nil
}

func (c *RetryConfig) validate() error {
	if c == nil {
		return nil
	}
	if n := len(c.CriteriaList); n < 1 || n > maxRetryCriteria {
		return Errorf(ErrInvalidRequest, "jobExecutionsRetryConfig takes 1 to %d criteria.", maxRetryCriteria)
	}
	var total int64
	seen := make(map[string]bool)
	for _, r := range c.CriteriaList {
		switch r.FailureType {
		case FailureFailed, FailureTimedOut, FailureAll:
		default:
			return Errorf(ErrInvalidRequest, "Invalid failureType %q in jobExecutionsRetryConfig.", r.FailureType)
		}
		if seen[r.FailureType] || (len(c.CriteriaList) > 1 && r.FailureType == FailureAll) {
			return Errorf(ErrInvalidRequest, "jobExecutionsRetryConfig takes one criterion a failureType, and ALL alone.")
		}
		seen[r.FailureType] = true
		if r.NumberOfRetries < 0 || r.NumberOfRetries > maxRetries {
			return Errorf(ErrInvalidRequest, "numberOfRetries must be between 0 and %d.", maxRetries)
		}
		total += r.NumberOfRetries
	}
	if total > maxRetries {
		return Errorf(ErrInvalidRequest, "All criteria together take at most %d retries.", maxRetries)
	}
	return nil
}

// Disabled reports whether c allows no retry.
func (c *RetryConfig) Disabled() bool {
	for _, r := range c.CriteriaList {
		if r.NumberOfRetries != 0 {
			return false
		}
	}
	return true
}
