package control

import (
	"strconv"
	"time"

	"jobgate/gateway/jobs"
)

// The control plane's outputs, with AWS's member names (AWS.md §5, Shapes). Unset members are omitted.

// epoch is a time in the control plane's format: seconds since 1970, with milliseconds.
type epoch struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(e.UnixMilli())/1000, 'f', -1, 64), nil
}

type jobRef struct {
	JobARN      string `json:"jobArn"`
	JobID       string `json:"jobId"`
	Description string `json:"description,omitempty"`
}

func refOf(r jobs.JobRef) jobRef { return jobRef{r.ARN, r.ID, r.Description} }

type described struct {
	DocumentSource string `json:"documentSource,omitempty"`
	Job            job    `json:"job"`
}

type job struct {
	JobARN        string      `json:"jobArn"`
	JobID         string      `json:"jobId"`
	Selection     string      `json:"targetSelection"`
	Status        string      `json:"status"`
	ForceCanceled bool        `json:"forceCanceled,omitempty"`
	ReasonCode    string      `json:"reasonCode,omitempty"`
	Comment       string      `json:"comment,omitempty"`
	Targets       []string    `json:"targets"`
	Description   string      `json:"description,omitempty"`
	CreatedAt     epoch       `json:"createdAt,omitzero"`
	UpdatedAt     epoch       `json:"lastUpdatedAt,omitzero"`
	CompletedAt   epoch       `json:"completedAt,omitzero"`
	Details       jobProgress `json:"jobProcessDetails"`
	NamespaceID   string      `json:"namespaceId,omitempty"`
	TemplateARN   string      `json:"jobTemplateArn,omitempty"`
	IsConcurrent  bool        `json:"isConcurrent"`
	jobSettings
	Parameters map[string]string      `json:"documentParameters,omitempty"`
	Scheduling *jobs.SchedulingConfig `json:"schedulingConfig,omitempty"`
	Rollouts   []scheduledRollout     `json:"scheduledJobRollouts,omitempty"`
}

// settings are the configurations that jobs and job templates share.
type settings struct {
	Presign *jobs.PresignedURLConfig `json:"presignedUrlConfig,omitempty"`
	Rollout *jobs.RolloutConfig      `json:"jobExecutionsRolloutConfig,omitempty"`
	Abort   *jobs.AbortConfig        `json:"abortConfig,omitempty"`
	Timeout *jobs.TimeoutConfig      `json:"timeoutConfig,omitempty"`
	Retry   *jobs.RetryConfig        `json:"jobExecutionsRetryConfig,omitempty"`
}

// jobSettings are a job's settings. As in AWS's examples of describe-job, all but two are present even if they are empty.
type jobSettings struct {
	Presign jobs.PresignedURLConfig `json:"presignedUrlConfig"`
	Rollout jobs.RolloutConfig      `json:"jobExecutionsRolloutConfig"`
	Abort   *jobs.AbortConfig       `json:"abortConfig,omitempty"`
	Timeout jobs.TimeoutConfig      `json:"timeoutConfig"`
	Retry   *jobs.RetryConfig       `json:"jobExecutionsRetryConfig,omitempty"`
}

func jobSettingsOf(j *jobs.Job) jobSettings {
	return jobSettings{orZero(j.Presign), orZero(j.Rollout), j.Abort, orZero(j.Timeout), j.Retry}
}

// orZero returns what p points to, the zero value for nil.
func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

type scheduledRollout struct {
	StartTime string `json:"startTime"`
}

type jobProgress struct {
	Processing []string `json:"processingTargets,omitempty"`
	Canceled   int64    `json:"numberOfCanceledThings"`
	Succeeded  int64    `json:"numberOfSucceededThings"`
	Failed     int64    `json:"numberOfFailedThings"`
	Rejected   int64    `json:"numberOfRejectedThings"`
	Queued     int64    `json:"numberOfQueuedThings"`
	InProgress int64    `json:"numberOfInProgressThings"`
	Removed    int64    `json:"numberOfRemovedThings"`
	TimedOut   int64    `json:"numberOfTimedOutThings"`
}

func progressOf(d *jobs.JobDetail) jobProgress {
	c := &d.Counts
	return jobProgress{
		Processing: d.ProcessingTargets, Canceled: c[jobs.Canceled], Succeeded: c[jobs.Succeeded], Failed: c[jobs.Failed],
		Rejected: c[jobs.Rejected], Queued: c[jobs.Queued], InProgress: c[jobs.InProgress], Removed: c[jobs.Removed],
		TimedOut: c[jobs.TimedOut],
	}
}

func describedOf(d *jobs.JobDetail) described {
	j := d.Job
	answer := job{
		JobARN: d.ARN, JobID: j.ID, Selection: j.Selection.String(), Status: j.Status.String(),
		ForceCanceled: j.ForceCanceled, ReasonCode: j.ReasonCode, Comment: j.Comment, Targets: d.TargetARNs,
		Description: j.Description, CreatedAt: epoch{j.CreatedAt}, UpdatedAt: epoch{j.UpdatedAt}, CompletedAt: epoch{j.CompletedAt},
		Details: progressOf(d), NamespaceID: j.NamespaceID, TemplateARN: j.TemplateARN, IsConcurrent: d.Concurrent,
		jobSettings: jobSettingsOf(j),
		Parameters:  j.DocumentParameters, Scheduling: j.Scheduling,
	}
	for _, start := range d.NextRollouts {
		answer.Rollouts = append(answer.Rollouts, scheduledRollout{start})
	}
	return described{DocumentSource: j.DocumentSource, Job: answer}
}

type jobSummary struct {
	JobARN      string `json:"jobArn"`
	JobID       string `json:"jobId"`
	GroupID     string `json:"thingGroupId,omitempty"`
	Selection   string `json:"targetSelection"`
	Status      string `json:"status"`
	CreatedAt   epoch  `json:"createdAt,omitzero"`
	UpdatedAt   epoch  `json:"lastUpdatedAt,omitzero"`
	CompletedAt epoch  `json:"completedAt,omitzero"`

	IsConcurrent bool `json:"isConcurrent"`
}

func jobSummaryOf(s *jobs.JobSummary) jobSummary {
	j := s.Job
	return jobSummary{
		JobARN: s.ARN, JobID: j.ID, GroupID: s.GroupID, Selection: j.Selection.String(), Status: j.Status.String(),
		CreatedAt: epoch{j.CreatedAt}, UpdatedAt: epoch{j.UpdatedAt}, CompletedAt: epoch{j.CompletedAt},
		IsConcurrent: s.Concurrent,
	}
}

type execution struct {
	JobID         string        `json:"jobId"`
	Status        string        `json:"status"`
	ForceCanceled bool          `json:"forceCanceled,omitempty"`
	Details       statusDetails `json:"statusDetails"`
	ThingARN      string        `json:"thingArn"`
	QueuedAt      epoch         `json:"queuedAt,omitzero"`
	StartedAt     epoch         `json:"startedAt,omitzero"`
	UpdatedAt     epoch         `json:"lastUpdatedAt,omitzero"`
	Number        int64         `json:"executionNumber"`
	Version       int64         `json:"versionNumber"`
	SecondsLeft   *int64        `json:"approximateSecondsBeforeTimedOut,omitempty"`
}

type statusDetails struct {
	Map map[string]string `json:"detailsMap"`
}

func executionOf(s *jobs.ExecutionSummary, now time.Time) execution {
	e := execution{
		JobID: s.Job.ID, Status: s.Status.String(), ForceCanceled: s.Forced, ThingARN: s.ThingARN,
		QueuedAt: epoch{s.QueuedAt}, StartedAt: epoch{s.StartedAt}, UpdatedAt: epoch{s.UpdatedAt},
		Number: s.Number, Version: s.Version,
	}
	e.Details.Map = orEmpty(s.Details.Map())
	if left, ok := s.SecondsLeft(now); ok {
		e.SecondsLeft = &left
	}
	return e
}

type executionSummary struct {
	Status       string `json:"status"`
	QueuedAt     epoch  `json:"queuedAt,omitzero"`
	StartedAt    epoch  `json:"startedAt,omitzero"`
	UpdatedAt    epoch  `json:"lastUpdatedAt,omitzero"`
	Number       int64  `json:"executionNumber"`
	RetryAttempt int    `json:"retryAttempt"`
}

// listedExecution is an entry of both listings of executions: of a job's, which name the thing, or of a thing's, which
// name the job.
type listedExecution struct {
	ThingARN string           `json:"thingArn,omitempty"`
	JobID    string           `json:"jobId,omitempty"`
	Summary  executionSummary `json:"jobExecutionSummary"`
}

func executionSummaryOf(s *jobs.ExecutionSummary) executionSummary {
	return executionSummary{
		Status: s.Status.String(), QueuedAt: epoch{s.QueuedAt}, StartedAt: epoch{s.StartedAt}, UpdatedAt: epoch{s.UpdatedAt},
		Number: s.Number, RetryAttempt: s.Retry,
	}
}
