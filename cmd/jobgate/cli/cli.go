// Package cli is shared by the commands: the flags that select the configuration, and the errors that decide the exit
// status.
package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// ErrReported ends a command that has already printed its faults.
var ErrReported = errors.New("faults were reported")

// UsageError is an error in the command line.
type UsageError struct {
	Command string // jobgate render
	Err     error
}

// Usage returns a UsageError of a command.
func Usage(cmd *cobra.Command, err error) error { return &UsageError{cmd.CommandPath(), err} }

// Error implements error.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// UnknownCommand rejects an unknown command and suggests a similar one.
func UnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	near := cmd.SuggestionsFor(args[0])
	if len(near) == 0 {
		return fmt.Errorf("unknown command %q", args[0])
	}
	return fmt.Errorf("unknown command %q; did you mean %q?", args[0], near[0])
}

// MarkUsage makes wrong arguments of cmd, and of the commands below it, usage errors.
func MarkUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return Usage(cmd, err)
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		MarkUsage(child)
	}
}
