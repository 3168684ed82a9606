package control

import (
	"strings"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/api/model"
)

// Conversion of inputs to package jobs. Their members were checked against the model.

// settingsOf returns an input's configurations.
func settingsOf(in model.Input) (s jobs.Settings) {
	if c, ok := in.Structure("presignedUrlConfig"); ok {
		s.Presign = &jobs.PresignedURLConfig{RoleARN: c.Text("roleArn"), ExpiresInSec: c.Long("expiresInSec")}
	}
	if c, ok := in.Structure("jobExecutionsRolloutConfig"); ok {
		s.Rollout = rolloutOf(c)
	}
	if c, ok := in.Structure("abortConfig"); ok {
		s.Abort = new(jobs.AbortConfig)
		for _, a := range c.Structures("criteriaList") {
			s.Abort.CriteriaList = append(s.Abort.CriteriaList, jobs.AbortCriteria{
				FailureType: a.Text("failureType"), Action: a.Text("action"), ThresholdPercentage: a.Double("thresholdPercentage"),
				MinNumberOfExecutedThings: a.Long("minNumberOfExecutedThings"),
			})
		}
	}
	if c, ok := in.Structure("timeoutConfig"); ok {
		s.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: c.Long("inProgressTimeoutInMinutes")}
	}
	if c, ok := in.Structure("jobExecutionsRetryConfig"); ok {
		s.Retry = new(jobs.RetryConfig)
		for _, r := range c.Structures("criteriaList") {
			s.Retry.CriteriaList = append(s.Retry.CriteriaList, jobs.RetryCriteria{
				FailureType: r.Text("failureType"), NumberOfRetries: r.Long("numberOfRetries"),
			})
		}
	}
	return s
}

func rolloutOf(c model.Input) *jobs.RolloutConfig {
	rollout := &jobs.RolloutConfig{MaximumPerMinute: c.Long("maximumPerMinute")}
	if e, ok := c.Structure("exponentialRate"); ok {
		by, _ := e.Structure("rateIncreaseCriteria")
		rollout.ExponentialRate = &jobs.ExponentialRate{
			BaseRatePerMinute: e.Long("baseRatePerMinute"), IncrementFactor: e.Double("incrementFactor"),
			RateIncreaseCriteria: jobs.RateIncreaseCriteria{
				NumberOfNotifiedThings: by.Long("numberOfNotifiedThings"), NumberOfSucceededThings: by.Long("numberOfSucceededThings"),
			},
		}
	}
	return rollout
}

func schedulingOf(in model.Input) *jobs.SchedulingConfig {
	c, ok := in.Structure("schedulingConfig")
	if !ok {
		return nil
	}
	return &jobs.SchedulingConfig{
		StartTime: c.Text("startTime"), EndTime: c.Text("endTime"), EndBehavior: c.Text("endBehavior"), MaintenanceWindows: windowsOf(c),
	}
}

func windowsOf(in model.Input) (windows []jobs.MaintenanceWindow) {
	for _, w := range in.Structures("maintenanceWindows") {
		windows = append(windows, jobs.MaintenanceWindow{StartTime: w.Text("startTime"), DurationInMinutes: w.Long("durationInMinutes")})
	}
	return windows
}

// tagsOf returns an input's tags.
func tagsOf(in model.Input) (tags []jobs.Tag, err error) {
	given := in.Structures("tags")
	seen := make(map[string]bool, len(given))
	for _, t := range given {
		tag := jobs.Tag{Key: t.Text("Key"), Value: t.Text("Value")}
		if seen[tag.Key] {
			return nil, exception.InvalidRequest("The tag key %s is given twice.", tag.Key)
		}
		if len(tag.Key) >= 4 && strings.EqualFold(tag.Key[:4], "aws:") {
			return nil, exception.InvalidRequest("The tag key %s is AWS's own: keys of others do not begin with aws:, in whatever case.", tag.Key)
		}
		seen[tag.Key] = true
		tags = append(tags, tag)
	}
	return tags, nil
}

// attributesOf returns the attributes of an attribute payload, nil if there is none.
func attributesOf(in model.Input) map[string]string {
	payload, _ := in.Structure("attributePayload")
	return payload.Pairs("attributes")
}

// attributeUpdateOf returns the update of an attribute payload.
func attributeUpdateOf(in model.Input) jobs.AttributeUpdate {
	payload, _ := in.Structure("attributePayload")
	return jobs.AttributeUpdate{Given: payload.Has("attributes"), Values: payload.Pairs("attributes"), Merge: payload.Flag("merge", false)}
}
