package jobscmd

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"jobgate/gateway/jobs/wire"
)

// retryRequest is RetryJob's input.
type retryRequest struct {
	JobID    string   `json:"jobId,omitempty"`
	Statuses []string `json:"statuses,omitempty"`
	Reason   *string  `json:"reason,omitempty"`
	DryRun   bool     `json:"dryRun,omitempty"`
}

func newRetry(o Options) *cobra.Command {
	var in retryRequest
	var reason string
	cmd := &cobra.Command{
		Use:   "retry JOB [flags]",
		Short: "Create a new job for the things on which a job failed",
		Long: `Creates a new job with the document and the settings of JOB, for the things whose latest execution of JOB failed. Its
target is a new thing group of these things, jobgate-retry-<new job>. JOB does not change. Running the same command
again has no effect, because the new job's ID exists already.`,
		Example: `  jobgate jobs retry update-1 --dry-run
  jobgate jobs retry update-1 --job-id update-1-again --status FAILED --reason 'disk is full'`,
		Args: oneJob,
	}
	f := cmd.Flags()
	f.Var(JobIDFlag(&in.JobID), "job-id", "`ID` of the new job (default: JOB-retry)")
	f.StringSliceVar(&in.Statuses, "status", nil, "only things with this `STATUS`: FAILED, TIMED_OUT, REJECTED; may be given more than once")
	f.StringVar(&reason, "reason", "", "only things that reported exactly this `REASON`; \"\": no reason")
	f.BoolVar(&in.DryRun, "dry-run", false, "print the number of things, and do nothing")
	complete(cmd, "status", failed...)
	return o.command(cmd, func(r *run, args []string) error {
		if in.JobID == "" {
			in.JobID = args[0][:min(len(args[0]), wire.MaxJobID-len(retrySuffix))] + retrySuffix
		}
		if cmd.Flags().Changed("reason") {
			in.Reason = &reason
		}
		return r.retry(args[0], &in)
	})
}

// retrySuffix is appended to a job's ID, cut if necessary, for the default ID of its retry.
const retrySuffix = "-retry"

func (r *run) retry(job string, in *retryRequest) error {
	var made struct {
		JobID  string `json:"jobId"`
		Group  string `json:"thingGroupName"`
		Things int64  `json:"things"`
	}
	text, err := r.call(r.ctx, request{
		what: "retry job " + strconv.Quote(job), method: http.MethodPost, path: []string{"-", "jobs", job, "retry"}, body: in,
	}, &made)
	switch {
	case err != nil:
		return err
	case r.asJSON:
		return r.printf("%s\n", text)
	case in.DryRun:
		return r.printf("%s would get job %s.\n", things(made.Things), in.JobID)
	}
	if err := r.printf("Job %s is for %s, in group %s.\n", made.JobID, things(made.Things), made.Group); err != nil {
		return err
	}
	r.note("Follow it: jobgate jobs show %s --follow", made.JobID)
	return nil
}
