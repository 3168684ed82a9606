package jobscmd

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

// failed are the statuses of a failed execution.
var failed = []string{"FAILED", "TIMED_OUT", "REJECTED"}

func newFailures(o Options) *cobra.Command {
	var status, reason string
	part := &limited{limit: defaultLimit}
	cmd := &cobra.Command{
		Use:   "failures JOB [flags]",
		Short: "List a job's failures, with the reasons that devices gave",
		Long: `Lists the things whose latest execution of a job is FAILED, TIMED_OUT or REJECTED. The reason is the entry "reason" of
the device's statusDetails. The most frequent reasons precede the list.`,
		Example: `  jobgate jobs failures update-1
  jobgate jobs failures update-1 --status FAILED --reason 'disk is full' --limit 0 --json`,
		Args: oneJob,
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "only failures with this `STATUS`: FAILED, TIMED_OUT, REJECTED")
	f.StringVar(&reason, "reason", "", "only failures with exactly this `REASON`; \"\": without a reason")
	f.Var((*limitFlag)(&part.limit), "limit", "maximum `NUMBER` of things; 0: all")
	complete(cmd, "status", failed...)
	return o.command(cmd, func(r *run, args []string) error {
		q := request{
			what: "list the failures of job " + strconv.Quote(args[0]), method: http.MethodGet,
			path: []string{"-", "jobs", args[0], "failures"}, query: part.query(),
		}
		if status != "" {
			q.query.Set("status", status)
		}
		if cmd.Flags().Changed("reason") {
			q.query.Set("reason", reason)
		}
		return r.failures(q, part)
	})
}

// failurePage is ListJobFailures' answer.
type failurePage struct {
	Failures []json.RawMessage `json:"failures"`
	Reasons  []struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
		Count  int64  `json:"count"`
	} `json:"reasons"`
}

// failure is an entry of a failurePage.
type failure struct {
	Thing   string `json:"thingName"`
	Status  string `json:"status"`
	Number  int64  `json:"executionNumber"`
	Reason  string `json:"reason"`
	Updated epoch  `json:"lastUpdatedAt"`
}

func (r *run) failures(q request, part *limited) error {
	var reasons, rows [][]string
	err := r.pages(r.ctx, q, func() any { return new(failurePage) }, func(answer any) (bool, error) {
		page := answer.(*failurePage)
		for _, x := range page.Reasons {
			reasons = append(reasons, []string{humanize.Comma(x.Count), x.Status, orNone(x.Reason)})
		}
		shown, more, err := listed(r, part, page.Failures, func(f *failure) []string {
			return []string{f.Thing, f.Status, strconv.FormatInt(f.Number, 10), f.Updated.String(), orNone(f.Reason)}
		})
		rows = append(rows, shown...)
		return more, err
	})
	if err != nil || r.asJSON {
		return err
	}
	if len(rows) == 0 {
		r.note("No failures match.")
		return nil
	}
	if err := r.table("THINGS STATUS REASON", reasons); err != nil {
		return err
	}
	if err := r.printf("\n"); err != nil {
		return err
	}
	return r.table("THING STATUS NUMBER UPDATED REASON", rows)
}

func orNone(reason string) string {
	if reason == "" {
		return "(none given)"
	}
	return reason
}
