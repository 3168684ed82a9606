package jobscmd

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

// maxPage is the maximum number of entries in a page of a listing. defaultLimit is how many entries are shown by default.
const (
	maxPage      = 250
	defaultLimit = 50
)

// limitFlag is the value of --limit: a number that is not negative.
type limitFlag int

// String implements pflag.Value.
func (f *limitFlag) String() string { return strconv.Itoa(int(*f)) }

// Type implements pflag.Value.
func (f *limitFlag) Type() string { return "int" }

// Set implements pflag.Value.
func (f *limitFlag) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return errors.New("a limit is a number of at least 0; 0 means all")
	}
	*f = limitFlag(n)
	return nil
}

// limited takes the first limit entries of a listing, or all if limit is 0.
type limited struct{ limit, taken int }

// query returns the query of a listing, with pages as large as useful.
func (l *limited) query() url.Values {
	page := maxPage
	if l.limit > 0 {
		page = min(page, l.limit)
	}
	return url.Values{"maxResults": {strconv.Itoa(page)}}
}

// take returns how many of a page's n entries to show, and whether to request more.
func (l *limited) take(n int) (wanted int, more bool) {
	if l.limit > 0 {
		n = min(n, l.limit-l.taken)
	}
	l.taken += n
	return n, l.limit <= 0 || l.taken < l.limit
}

// listed returns the entries of a page to show, as rows of a table, and whether to request more. With --json it prints the
// entries instead, unchanged.
func listed[E any](r *run, part *limited, page []json.RawMessage, row func(*E) []string) (rows [][]string, more bool, err error) {
	n, more := part.take(len(page))
	for _, text := range page[:n] {
		if r.asJSON {
			if err := r.printf("%s\n", text); err != nil {
				return nil, false, err
			}
			continue
		}
		e := new(E)
		if err := json.Unmarshal(text, e); err != nil {
			return nil, false, err
		}
		rows = append(rows, row(e))
	}
	return rows, more, nil
}

func newList(o Options) *cobra.Command {
	var status, group string
	part := &limited{limit: defaultLimit}
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List jobs, the newest first",
		Example: `  jobgate jobs list --status IN_PROGRESS
  jobgate jobs list --limit 0 --json`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "only jobs with this `STATUS`: IN_PROGRESS, SCHEDULED, COMPLETED, CANCELED, DELETION_IN_PROGRESS")
	f.Var(&nameFlag{&group, groupName}, "group", "only jobs for the thing group of this `NAME`")
	f.Var((*limitFlag)(&part.limit), "limit", "maximum `NUMBER` of jobs; 0: all")
	complete(cmd, "status", "IN_PROGRESS", "SCHEDULED", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS")
	return o.command(cmd, func(r *run, _ []string) error { return r.list(status, group, part) })
}

// complete registers the completions of a flag's value.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
}

// jobSummary is an entry of ListJobs.
type jobSummary struct {
	ID        string `json:"jobId"`
	Status    string `json:"status"`
	Selection string `json:"targetSelection"`
	Created   epoch  `json:"createdAt"`
	Completed epoch  `json:"completedAt"`
}

func (r *run) list(status, group string, part *limited) error {
	q := request{what: "list the jobs", method: http.MethodGet, path: []string{"jobs"}, query: part.query()}
	if status != "" {
		q.query.Set("status", status)
	}
	if group != "" {
		q.query.Set("thingGroupName", group)
	}
	type page struct {
		Jobs []json.RawMessage `json:"jobs"`
	}
	var rows [][]string
	err := r.pages(r.ctx, q, func() any { return new(page) }, func(answer any) (bool, error) {
		shown, more, err := listed(r, part, answer.(*page).Jobs, func(j *jobSummary) []string {
			return []string{j.ID, j.Status, j.Selection, j.Created.String(), j.Completed.String()}
		})
		rows = append(rows, shown...)
		return more, err
	})
	if err != nil || r.asJSON {
		return err
	}
	if len(rows) == 0 {
		r.note("No jobs match.")
		return nil
	}
	return r.table("JOB STATUS TYPE CREATED COMPLETED", rows)
}
