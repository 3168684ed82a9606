package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/config"
)

func newServe() *cobra.Command {
	var flags cli.ConfigFlags
	var noMigrate bool
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run the gateway",
		Long: `Runs the gateway that the configuration describes, until SIGTERM or Ctrl-C. It then drains: /readyz turns 503,
drain.delay passes, new connections stop, requests in flight finish. A second signal ends it at once.

SIGHUP, POST /-/reload at the admin listener, and a change of the file load the configuration again. A file with a
fault leaves the running configuration in place.`,
		Example: `  jobgate serve --config jobgate.yaml
  jobgate serve --config jobgate.yaml --log-level debug --set presign.expires=10m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := flags.Options(cmd, config.Serving)
			if err != nil {
				return err
			}
			if noMigrate {
				o.Flags = append(o.Flags, config.Flag{Name: "--no-migrate", Key: "jobs.store_migrate", Text: "false"})
			}
			p, err := start(cmd.Context(), o, awsenv.Load, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			p.printKey(cmd.ErrOrStderr())
			ctx, stop := untilSignal(cmd.Context(), func() { _ = p.reload() }) // reload logs its own errors
			defer stop()
			return p.run(ctx)
		},
	}
	flags.Add(cmd, map[string]string{
		"listen":     "`ADDRESS` for devices",
		"admin":      "`ADDRESS` for operators",
		"sidecar":    "`ADDRESS` for POST /render",
		"control":    "`ADDRESS` of the IoT Jobs control plane",
		"log.level":  "`LEVEL`: debug, info, warn or error",
		"log.format": "`FORMAT`: text or json",
	})
	cmd.Flags().BoolVar(&noMigrate, "no-migrate", false, "refuse a jobs database whose schema is old, instead of migrating it")
	return cmd
}

// untilSignal returns a context that ends with the first SIGTERM or SIGINT. The second ends the process at once. Each
// SIGHUP calls hangup. All are handled here because a process with id 1 has no default signal actions.
func untilSignal(parent context.Context, hangup func()) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	go func() {
		for s := range signals {
			switch {
			case s == syscall.SIGHUP:
				hangup()
			case ctx.Err() == nil:
				cancel()
			default:
				os.Exit(1)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}
