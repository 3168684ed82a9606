// Package jobscmd is `jobgate jobs`: jobs from a terminal, by the calls that the console makes.
//
//	list, show, failures ─► Connection.call ─► control listener: AWS's operations, and those under /-/
//	retry, cancel, delete ─► confirm ─► Connection.call
//	show --follow ─► follower: samples ─► live (a terminal) or plain lines
//
// What a device or a stranger may have written is shown with its control characters taken out.
package jobscmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Options are what the commands take from the program.
type Options struct {
	// Connect adds the flags that say whom to ask to a command, and returns what finds that out when it runs.
	Connect func(cmd *cobra.Command) func(ctx context.Context) (*Connection, error)
	// UntilSignal returns a context that ends when the process is to end.
	UntilSignal func(context.Context) (context.Context, context.CancelFunc)
}

// Commands are the subcommands of `jobgate jobs`.
func Commands(o Options) []*cobra.Command {
	return []*cobra.Command{newList(o), newShow(o), newFailures(o), newRetry(o), newCancel(o), newDelete(o)}
}

// run is a command under way.
type run struct {
	*Connection
	ctx    context.Context
	cmd    *cobra.Command
	asJSON bool
}

// command is a subcommand with the flags of all; do runs it.
func (o Options) command(cmd *cobra.Command, do func(r *run, args []string) error) *cobra.Command {
	connect := o.Connect(cmd)
	asJSON := cmd.Flags().Bool("json", false, "JSON as the gateway answers it, an object a line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := o.UntilSignal(cmd.Context())
		defer stop()
		connection, err := connect(ctx)
		if err != nil {
			return err
		}
		err = do(&run{connection, ctx, cmd, *asJSON}, args)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil // Ctrl-C is the end of a follower
		}
		return err
	}
	return cmd
}

// printf writes to standard output.
func (r *run) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(r.cmd.OutOrStdout(), format, args...)
	return err
}

// note writes to standard error what is not the command's result.
func (r *run) note(format string, args ...any) {
	_, _ = fmt.Fprintf(r.cmd.ErrOrStderr(), format+"\n", args...)
}
