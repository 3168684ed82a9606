package jobs

// The configurations of a job, with AWS's member names (AWS.md §5, Shapes). They are JSON both in the stores and on the
// wire, so the tags are AWS's. A nil pointer or zero means "not set".

// PresignedURLConfig holds the role that signs a job's URLs, and their lifetime.
type PresignedURLConfig struct {
	RoleARN      string `json:"roleArn,omitempty"`
	ExpiresInSec int64  `json:"expiresInSec,omitempty"` // 60..3600; 0 = 3600
}

// Limits of PresignedURLConfig.ExpiresInSec, and its default (AWS.md §2).
const (
	MinExpiresInSec     = 60
	MaxExpiresInSec     = 3600
	DefaultExpiresInSec = 3600
)

// RolloutConfig limits how fast a job reaches its targets. A job without one is rolled out as fast as the store allows;
// AWS would limit it to 1000 a minute.
type RolloutConfig struct {
	MaximumPerMinute int64            `json:"maximumPerMinute,omitempty"` // 1..1000
	ExponentialRate  *ExponentialRate `json:"exponentialRate,omitempty"`
}

// ExponentialRate starts at BaseRatePerMinute and multiplies by IncrementFactor each time another
// NumberOfNotifiedThings were notified, or NumberOfSucceededThings succeeded.
type ExponentialRate struct {
	BaseRatePerMinute    int64                `json:"baseRatePerMinute"` // 1..1000
	IncrementFactor      float64              `json:"incrementFactor"`   // 1.1..5
	RateIncreaseCriteria RateIncreaseCriteria `json:"rateIncreaseCriteria"`
}

// RateIncreaseCriteria sets one or the other.
type RateIncreaseCriteria struct {
	NumberOfNotifiedThings  int64 `json:"numberOfNotifiedThings,omitempty"`
	NumberOfSucceededThings int64 `json:"numberOfSucceededThings,omitempty"`
}

// AbortConfig cancels a job when too many executions end badly. Criteria are evaluated in order.
type AbortConfig struct {
	CriteriaList []AbortCriteria `json:"criteriaList"`
}

// AbortCriteria is one rule of an AbortConfig.
type AbortCriteria struct {
	FailureType               string  `json:"failureType"` // FAILED, REJECTED, TIMED_OUT, ALL
	Action                    string  `json:"action"`      // CANCEL
	ThresholdPercentage       float64 `json:"thresholdPercentage"`
	MinNumberOfExecutedThings int64   `json:"minNumberOfExecutedThings"`
}

// TimeoutConfig ends executions that stay IN_PROGRESS for too long.
type TimeoutConfig struct {
	InProgressTimeoutInMinutes int64 `json:"inProgressTimeoutInMinutes,omitempty"` // 1..10080
}

// MaxTimeoutMinutes bounds both timers: seven days.
const MaxTimeoutMinutes = 10080

// RetryConfig queues an execution again after it failed or timed out.
type RetryConfig struct {
	CriteriaList []RetryCriteria `json:"criteriaList"`
}

// RetryCriteria is one rule of a RetryConfig.
type RetryCriteria struct {
	FailureType     string `json:"failureType"` // FAILED, TIMED_OUT, ALL
	NumberOfRetries int64  `json:"numberOfRetries"`
}

// SchedulingConfig says when a job runs. Times are UTC, "YYYY-MM-DD HH:MM" or RFC 3339.
type SchedulingConfig struct {
	StartTime          string              `json:"startTime,omitempty"`
	EndTime            string              `json:"endTime,omitempty"`
	EndBehavior        string              `json:"endBehavior,omitempty"` // STOP_ROLLOUT, CANCEL, FORCE_CANCEL
	MaintenanceWindows []MaintenanceWindow `json:"maintenanceWindows,omitempty"`
}

// EndSweep returns the sweep that an end time starts on the executions that have not ended.
func (c *SchedulingConfig) EndSweep() Sweep {
	switch {
	case c != nil && c.EndBehavior == EndCancel:
		return SweepCancelQueued
	case c != nil && c.EndBehavior == EndForceCancel:
		return SweepCancelAll
	}
	return SweepNone
}

// MaintenanceWindow is a recurring window; StartTime is a cron expression in UTC, see plan.ParseCron.
type MaintenanceWindow struct {
	StartTime         string `json:"startTime"`
	DurationInMinutes int64  `json:"durationInMinutes"` // 1..1430
}

// Tag is a label on a job, a job template or a thing group. Its members are capitalised on the wire.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// Failure types, actions and end behaviours in the configurations.
const (
	FailureFailed   = "FAILED"
	FailureRejected = "REJECTED"
	FailureTimedOut = "TIMED_OUT"
	FailureAll      = "ALL"

	ActionCancel = "CANCEL"

	EndStopRollout = "STOP_ROLLOUT"
	EndCancel      = "CANCEL"
	EndForceCancel = "FORCE_CANCEL"
)
