package jobscmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// cancelRequest is CancelJob's input.
type cancelRequest struct {
	ReasonCode string `json:"reasonCode,omitempty"`
	Comment    string `json:"comment,omitempty"`
}

func newCancel(o Options) *cobra.Command {
	var in cancelRequest
	var force, yes bool
	cmd := &cobra.Command{
		Use:   "cancel JOB [flags]",
		Short: "Cancel a job",
		Long: `Cancels a job: no more things receive it, and its queued executions are canceled. Executions in progress continue,
unless --force cancels them too. The command asks for confirmation.`,
		Example: `  jobgate jobs cancel update-1 --reason-code BAD_IMAGE --comment 'v7 does not boot'
  jobgate jobs cancel update-1 --force --yes`,
		Args: oneJob,
	}
	f := cmd.Flags()
	f.BoolVar(&force, "force", false, "also cancel executions in progress, which may leave their devices in an unknown state")
	f.StringVar(&in.ReasonCode, "reason-code", "", "reason, a `CODE` of capital letters, digits and _")
	f.StringVar(&in.Comment, "comment", "", "explanation, a `TEXT`")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return o.command(cmd, func(r *run, args []string) error {
		job := args[0]
		what := "cancel job " + strconv.Quote(job)
		err := r.confirm(yes, what, job, func(n counts) string { return cancels(n, force) })
		if err != nil {
			return err
		}
		return r.change(request{what: what, method: http.MethodPut, path: []string{"jobs", job, "cancel"}, query: forced(force), body: in}, "Job "+job+" is canceled.")
	})
}

// cancels describes what canceling a job does to its executions.
func cancels(n counts, force bool) string {
	leaves := "leaves "
	if force {
		leaves = ""
	}
	return fmt.Sprintf("This cancels %s and %s%s in progress. It cannot be undone.", number(n["QUEUED"], "queued execution"), leaves, humanize.Comma(n["IN_PROGRESS"]))
}

func newDelete(o Options) *cobra.Command {
	var force, yes bool
	cmd := &cobra.Command{
		Use:   "delete JOB [flags]",
		Short: "Delete a job and its executions",
		Long: `Deletes a job that has ended, with all its executions and the reasons of their failures. With --force it also deletes a
job that has not ended. The command asks for confirmation.`,
		Example: `  jobgate jobs delete update-1
  jobgate jobs delete update-1 --force --yes`,
		Args: oneJob,
	}
	cmd.Flags().BoolVar(&force, "force", false, "delete the job even if it has not ended")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return o.command(cmd, func(r *run, args []string) error {
		job := args[0]
		what := "delete job " + strconv.Quote(job)
		err := r.confirm(yes, what, job, deletes)
		if err != nil {
			return err
		}
		return r.change(request{what: what, method: http.MethodDelete, path: []string{"jobs", job}, query: forced(force)}, "Job "+job+" is being deleted.")
	})
}

// deletes describes what deleting a job does to its executions.
func deletes(n counts) string {
	return fmt.Sprintf("This deletes %s (%s pending) with the job. It cannot be undone.", number(n.total(), "execution"), humanize.Comma(n.pending()))
}

func forced(force bool) url.Values {
	if !force {
		return nil
	}
	return url.Values{"force": {"true"}}
}

// change sends a request that changes a job, and prints done or the answer.
func (r *run) change(q request, done string) error {
	text, err := r.call(r.ctx, q, nil)
	switch {
	case err != nil:
		return err
	case r.asJSON && len(text) > 0:
		return r.printf("%s\n", text)
	case r.asJSON:
		return nil
	}
	return r.printf("%s\n", done)
}

// errDeclined reports that the operator did not confirm.
var errDeclined = errors.New("nothing was changed")

// confirm asks the operator whether to proceed, unless yes is set. consequences describes the effect on a job with the given
// counts.
func (r *run) confirm(yes bool, what, job string, consequences func(counts) string) error {
	if yes {
		return nil
	}
	in, ok := r.cmd.InOrStdin().(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) {
		return fmt.Errorf("cannot %s without confirmation: there is no terminal to ask on; use --yes", what)
	}
	d, err := r.describe(job)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.cmd.ErrOrStderr(), "%s (%s) at %s?\n%s [y/N] ", strings.ToUpper(what[:1])+what[1:], d.Job.Status, r.Endpoint, consequences(d.counts()))
	return r.answer(in)
}

// answer reads the operator's answer, until the command is interrupted. It returns errDeclined unless it is yes.
func (r *run) answer(in io.Reader) error {
	answers := make(chan string, 1)
	go func() {
		answer, err := bufio.NewReader(in).ReadString('\n')
		if err != nil {
			answer = "" // cut short
		}
		answers <- answer
	}()
	select {
	case <-r.ctx.Done():
		return errDeclined
	case answer := <-answers:
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	}
}
