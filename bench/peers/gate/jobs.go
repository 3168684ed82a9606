package gate

import (
	"context"
	"net/http"
	"time"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/process"
)

// The jobs of the comparison, and the document of the job without signed URLs.
const (
	JobFleet      = "job-fleet"
	JobSigned     = "job-signed"
	PlainDocument = `{"operation":"configure","version":"v7","settings":{"interval":60,"threshold":21.5,"channel":"stable","servers":["a.example.com","b.example.com"]}}`
)

// The load of devices while a job is queued.
const (
	ReadRate     = 1000             // polls a second
	RolloutLimit = 10 * time.Minute // maximum time of a rollout
)

// CreateJob creates a job for a group and returns the call's duration.
func (g *Gate) CreateJob(ctx context.Context, id, group, document string) (time.Duration, error) {
	begun := time.Now()
	err := g.Call(ctx, http.MethodPut, "/jobs/"+id, map[string]any{
		"targets": []string{"arn:aws:iot:" + account.Region + ":000000000000:thinggroup/" + group}, "document": document,
		"presignedUrlConfig": map[string]any{"roleArn": downloadRole, "expiresInSec": 3600},
	}, nil)
	return time.Since(begun), err
}

// Queued waits until a job has n queued executions.
func (g *Gate) Queued(ctx context.Context, id string, n int) error {
	for {
		var d struct {
			Job struct {
				Details struct {
					Queued int `json:"numberOfQueuedThings"`
				} `json:"jobProcessDetails"`
			} `json:"job"`
		}
		if err := g.Call(ctx, http.MethodGet, "/jobs/"+id, struct{}{}, &d); err != nil {
			return err
		}
		if d.Job.Details.Queued >= n {
			return nil
		}
		if err := process.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// CreateTimed creates a job whose executions have timers, and returns the call's duration.
func (g *Gate) CreateTimed(ctx context.Context, id, group string) (time.Duration, error) {
	begun := time.Now()
	err := g.Call(ctx, http.MethodPut, "/jobs/"+id, map[string]any{
		"targets": []string{"arn:aws:iot:" + account.Region + ":000000000000:thinggroup/" + group}, "document": PlainDocument,
		"timeoutConfig": map[string]any{"inProgressTimeoutInMinutes": 600},
	}, nil)
	return time.Since(begun), err
}

// Timed gets a path of the control plane several times and returns the longest duration.
func (g *Gate) Timed(ctx context.Context, path string, times int) (slowest time.Duration, err error) {
	for range times {
		begun := time.Now()
		if err := g.Call(ctx, http.MethodGet, path, nil, nil); err != nil {
			return 0, err
		}
		slowest = max(slowest, time.Since(begun))
	}
	return slowest, nil
}
