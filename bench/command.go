package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"jobgate/bench/load"
	"jobgate/bench/report"
)

// ErrVerify is returned for a run whose answers held presigned URLs that do not open or
// whose signatures are wrong.
var ErrVerify = errors.New("bench: verification failed")

// Command returns the command "bench" with its subcommands run (the default), diff and
// merge. Its errors decide the process's exit code: an unreachable target
// (load.ErrUnreachable), a failed --assert (report.ErrAssert) or --verify (ErrVerify),
// or wrong input. If a run has a result, the report is written even on an error.
func Command() *cobra.Command {
	cmd := runCommand("bench")
	cmd.Short = "Play a fleet of devices against a gateway and report its latency"
	run := runCommand("run")
	cmd.AddCommand(run, diffCommand(), mergeCommand())
	return cmd
}

func runCommand(name string) *cobra.Command {
	f := new(flags)
	cmd := &cobra.Command{
		Use:   name + " [flags] URL",
		Short: "Run a load and report it (the default of bench)",
		Long: `Plays a fleet of devices against URL and reports what they saw.

By default the loop is open: requests are scheduled at --rate independently of the target, and
latency counts from the scheduled time, so that a stall shows in full. --concurrency makes it
a closed loop, which finds the highest throughput.

{thingName} and {jobId} in the URL's path are replaced by names drawn from --things and
--jobs. Quote a URL with $next, because the shell would expand it.

With mqtt:// or mqtts:// each connection is a device: it connects as the thing that its
number in --things gives, subscribes to notify-next and to its answers, and publishes --body
at QoS 1 to the topic in the URL's path. An answer is good if it arrives
on …/accepted with the token sent.`,
		Example: `  jobgate bench --rate 20000/s --things 1000000 'http://127.0.0.1:8080/things/{thingName}/jobs/job-0/document'
  jobgate bench --rate 1000..50000/s:60s --html knee.html http://127.0.0.1:8080/doc
  jobgate bench --concurrency 64 --duration 10s http://127.0.0.1:8080/doc
  jobgate bench --rate 20000/s --connections 5000 'mqtt://127.0.0.1:1883/$aws/things/{thingName}/jobs/$next/get'
  jobgate bench --scenario life.yaml --rate 500/s --assert 'p99<5ms,errors<0.1%' http://127.0.0.1:8080`,
		Args: cobra.MatchAll(cobra.ArbitraryArgs, func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				shown := make([]string, len(args))
				for i, arg := range args {
					shown[i] = report.Target(arg)
				}
				return fmt.Errorf("cannot run against %d targets %q: it takes one URL (a value of --verify needs its =); see jobgate bench --help", len(args), shown)
			}
			return nil
		}),
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0])
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// run executes the plan and writes the report. Only then does it return errors about the
// report's content.
func (f *flags) run(cmd *cobra.Command, url string) error {
	asserts, err := report.ParseAsserts(f.assert)
	if err != nil {
		return err
	}
	plan, err := f.plan(url, cmd.Flags().Changed)
	if err != nil {
		return err
	}
	out, err := f.output.open()
	if err != nil {
		return err
	}
	// The first Ctrl-C ends the run early, with a report; the second ends the process.
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	bar := newProgress(cmd.ErrOrStderr(), f.quiet)
	plan.OnProgress = bar.show
	res, runErr := load.Run(ctx, plan)
	bar.clear()
	if res == nil {
		return errors.Join(runErr, out.discard())
	}
	if err := out.write(cmd.OutOrStdout(), res); err != nil {
		return errors.Join(runErr, err)
	}
	if runErr != nil {
		return runErr
	}
	return errors.Join(asserts.Check(res), verdict(res))
}

// verdict returns an error for a result that fails even without assertions.
func verdict(res *report.Result) error {
	if v := res.Verified; v != nil && v.Failed > 0 {
		return fmt.Errorf("%w: %d of %d URLs; the first: %s", ErrVerify, v.Failed, v.URLs, v.Example)
	}
	if res.Counts.Good == 0 {
		return errors.New("bench: no good answer")
	}
	if v := res.Verified; v != nil && v.URLs > 0 && v.Opened+v.Signatures+v.Skipped == 0 {
		return fmt.Errorf("%w: nothing was verified: of %d presigned URLs in %d answers none was opened and none is signed with a key given", ErrVerify, v.URLs, v.Documents)
	}
	return nil
}

func diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:          "diff A.json B.json",
		Short:        "Compare two reports",
		Args:         cobra.ExactArgs(2),
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := readReport(args[0])
			if err != nil {
				return err
			}
			b, err := readReport(args[1])
			if err != nil {
				return err
			}
			return report.WriteDiff(cmd.OutOrStdout(), a, b)
		},
	}
}

func mergeCommand() *cobra.Command {
	var o output
	var assert string
	cmd := &cobra.Command{
		Use:   "merge A.json B.json …",
		Short: "Add up the reports of load machines that ran at the same time",
		Long: `Adds up the reports of several load machines that ran against one target at the same
time: counts and rates add, and the percentiles are those of all requests together.`,
		Args:         cobra.MinimumNArgs(1),
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			asserts, err := report.ParseAsserts(assert)
			if err != nil {
				return err
			}
			var all []*report.Result
			for _, name := range args {
				r, err := readReport(name)
				if err != nil {
					return err
				}
				all = append(all, r)
			}
			merged, err := report.Merge(all)
			if err != nil {
				return err
			}
			out, err := o.open()
			if err != nil {
				return err
			}
			if err := out.write(cmd.OutOrStdout(), merged); err != nil {
				return err
			}
			return errors.Join(asserts.Check(merged), verdict(merged))
		},
	}
	o.register(cmd.Flags())
	cmd.Flags().StringVar(&assert, "assert", "", "conditions on the merged report, as in bench run")
	return cmd
}

func readReport(name string) (*report.Result, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read report: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	r, err := report.ReadJSON(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read report %q: %w", name, err)
	}
	return r, nil
}
