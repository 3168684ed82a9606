// Package jobscmd is `jobgate jobs`: it manages jobs from a terminal, with the requests that the console makes.
//
//	list, show, failures ─► Connection.call ─► control listener: AWS's operations, and those under /-/
//	retry, cancel, delete ─► confirm ─► Connection.call
//	show --follow ─► follower: samples ─► live (a terminal) or plain lines
//
// Text from devices and other untrusted sources is printed without control characters.
package jobscmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// errInterrupted ends a command that SIGINT or SIGTERM interrupted.
var errInterrupted = errors.New("interrupted before the answer")

// Options are the functions that the program provides.
type Options struct {
	// Connect adds the connection flags to a command. The returned function reads them when the command runs.
	Connect func(cmd *cobra.Command) func(ctx context.Context) (*Connection, error)
	// UntilSignal returns a context that ends when the process should exit.
	UntilSignal func(context.Context) (context.Context, context.CancelFunc)
}

// Commands returns the subcommands of `jobgate jobs`.
func Commands(o Options) []*cobra.Command {
	return []*cobra.Command{newList(o), newShow(o), newFailures(o), newRetry(o), newCancel(o), newDelete(o)}
}

// run is a running command.
type run struct {
	*Connection
	ctx    context.Context
	cmd    *cobra.Command
	asJSON bool
}

// command adds the common flags to a subcommand that runs do.
func (o Options) command(cmd *cobra.Command, do func(r *run, args []string) error) *cobra.Command {
	connect := o.Connect(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the gateway's JSON, an object a line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := o.UntilSignal(cmd.Context())
		defer stop()
		connection, err := connect(ctx)
		if err != nil {
			return err
		}
		return do(&run{connection, ctx, cmd, *asJSON}, args)
	}
	return cmd
}

// printf writes to standard output.
func (r *run) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(r.cmd.OutOrStdout(), format, args...)
	return err
}

// note writes a message that is not the command's result to standard error.
func (r *run) note(format string, args ...any) {
	_, _ = fmt.Fprintf(r.cmd.ErrOrStderr(), format+"\n", args...)
}
