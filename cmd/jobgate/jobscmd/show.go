package jobscmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

func newShow(o Options) *cobra.Command {
	var f follower
	var follow, exitStatus bool
	cmd := &cobra.Command{
		Use:   "show JOB [flags]",
		Short: "Show a job: its status, its executions by status, and how fast they end",
		Long: `Shows a job. --follow shows it until it has ended: on a terminal with a progress bar, counts, the rate at which
executions end, and the estimated time left; elsewhere with a line whenever the counts change. NO_COLOR turns colors
off.`,
		Example: `  jobgate jobs show update-1 --follow
  jobgate jobs show update-1 --follow --exit-status && echo done
  jobgate jobs show update-1 --json`,
		Args: oneJob,
	}
	flags := cmd.Flags()
	flags.BoolVarP(&follow, "follow", "f", false, "follow the job until it has ended")
	flags.Var((*intervalFlag)(&f.every), "interval", "`TIME` between requests with --follow (default 1s on a terminal, else 5s)")
	flags.BoolVar(&exitStatus, "exit-status", false, "exit with 1 if the job was canceled, executions failed, or it has not ended")
	return o.command(cmd, func(r *run, args []string) error {
		f.run, f.id = r, args[0]
		d, err := r.describe(args[0])
		if err != nil {
			return err
		}
		if follow {
			if d, err = f.follow(d); errors.Is(err, errInterrupted) {
				err = nil // the usual end of --follow
			}
		} else {
			err = r.show(d)
		}
		if err == nil && exitStatus {
			err = d.verdict()
		}
		return err
	})
}

// intervalFlag is the value of --interval: a time that is not negative.
type intervalFlag time.Duration

// String implements pflag.Value. "" keeps the default, which depends on the terminal, out of the help.
func (f *intervalFlag) String() string {
	if *f == 0 {
		return ""
	}
	return time.Duration(*f).String()
}

// Type implements pflag.Value.
func (f *intervalFlag) Type() string { return "duration" }

// Set implements pflag.Value.
func (f *intervalFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("an interval is a time of at least 0s, such as 500ms; 0s means the default")
	}
	*f = intervalFlag(d)
	return nil
}

// described is DescribeJob's answer.
type described struct {
	Source string `json:"documentSource"`
	Job    struct {
		ID          string   `json:"jobId"`
		Status      string   `json:"status"`
		Selection   string   `json:"targetSelection"`
		Targets     []string `json:"targets"`
		Description string   `json:"description"`
		ReasonCode  string   `json:"reasonCode"`
		Comment     string   `json:"comment"`
		Created     epoch    `json:"createdAt"`
		Completed   epoch    `json:"completedAt"`
		Details     struct {
			Canceled   int64 `json:"numberOfCanceledThings"`
			Succeeded  int64 `json:"numberOfSucceededThings"`
			Failed     int64 `json:"numberOfFailedThings"`
			Rejected   int64 `json:"numberOfRejectedThings"`
			Queued     int64 `json:"numberOfQueuedThings"`
			InProgress int64 `json:"numberOfInProgressThings"`
			Removed    int64 `json:"numberOfRemovedThings"`
			TimedOut   int64 `json:"numberOfTimedOutThings"`
		} `json:"jobProcessDetails"`
	} `json:"job"`

	text json.RawMessage // the raw answer
}

func (r *run) describe(id string) (*described, error) {
	d := new(described)
	var err error
	d.text, err = r.call(r.ctx, request{what: "show job " + strconv.Quote(id), method: http.MethodGet, path: []string{"jobs", id}}, d)
	return d, err
}

// counts returns the job's executions by status.
func (d *described) counts() counts {
	n := &d.Job.Details
	return counts{
		"CANCELED": n.Canceled, "SUCCEEDED": n.Succeeded, "FAILED": n.Failed, "REJECTED": n.Rejected, "QUEUED": n.Queued,
		"IN_PROGRESS": n.InProgress, "REMOVED": n.Removed, "TIMED_OUT": n.TimedOut,
	}
}

// over reports whether the job has reached its final state.
func (d *described) over() bool {
	return (d.Job.Status == "COMPLETED" || d.Job.Status == "CANCELED") && d.counts().pending() == 0
}

// verdict returns an error if the job did not succeed on all things.
func (d *described) verdict() error {
	n := d.counts()
	switch {
	case d.Job.Status == "CANCELED":
		return fmt.Errorf("job %q was canceled", d.Job.ID)
	case n.failed() > 0:
		return fmt.Errorf("job %q failed on %s; see jobgate jobs failures %s", d.Job.ID, things(n.failed()), d.Job.ID)
	case !d.over():
		return fmt.Errorf("job %q has not ended: %s", d.Job.ID, strings.TrimSpace(d.Job.Status+" "+n.String()))
	}
	return nil
}

func (r *run) show(d *described) error {
	if r.asJSON {
		return r.printf("%s\n", d.text)
	}
	j := &d.Job
	for _, line := range []struct{ name, value string }{
		{"Job", j.ID},
		{"Status", strings.TrimSpace(j.Status + " " + j.ReasonCode)},
		{"Comment", j.Comment},
		{"Description", j.Description},
		{"Type", j.Selection},
		{"Targets", strings.Join(j.Targets, " ")},
		{"Document", d.Source},
		{"Created", j.Created.String()},
		{"Completed", j.Completed.String()},
	} {
		if line.value != "" && line.value != "-" {
			if err := r.printf("%-12s %s\n", line.name, clean(line.value)); err != nil {
				return err
			}
		}
	}
	n := d.counts()
	if err := r.printf("%-12s %s\n", "Executions", humanize.Comma(n.total())); err != nil {
		return err
	}
	for _, status := range statuses {
		if n[status] > 0 {
			if err := r.printf("  %-11s %s\n", status, humanize.Comma(n[status])); err != nil {
				return err
			}
		}
	}
	return nil
}

// history reads the gateway's samples of a job's counts. Older gateways have none.
func (r *run) history(id string) (list []sample, err error) {
	var answer struct {
		Progress []struct {
			Time       epoch  `json:"time"`
			Executions counts `json:"executions"`
		} `json:"progress"`
	}
	q := request{what: "read the progress of job " + strconv.Quote(id), method: http.MethodGet, path: []string{"-", "jobs", id, "progress"}}
	_, err = r.call(r.ctx, q, &answer)
	var refused *apiError
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return nil, nil
	}
	for _, p := range answer.Progress {
		list = append(list, sample{p.Time.time(), p.Executions})
	}
	return list, err
}

// sample holds a job's counts at one time.
type sample struct {
	at time.Time
	counts
}
