package jobscmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"jobgate/gateway/jobs/wire"
)

// nameRule is what the control plane accepts as a name.
type nameRule struct {
	of      string // "job ID"
	longest int
	colon   bool
}

var (
	jobID     = nameRule{"job ID", wire.MaxJobID, false}
	groupName = nameRule{"thing group name", wire.MaxThingName, true}
)

// matches reports whether name obeys the rule. Names become parts of a request's path, where one such as "../things/x" would
// reach another operation.
func (r nameRule) matches(name string) bool { return wire.IsName([]byte(name), r.longest, r.colon) }

// String returns the rule in words.
func (r nameRule) String() string {
	allowed := "a-zA-Z0-9_-"
	if r.colon {
		allowed = "a-zA-Z0-9:_-"
	}
	return fmt.Sprintf("a %s has 1 to %d characters of [%s]", r.of, r.longest, allowed)
}

// oneJob accepts a job's ID as the only argument.
var oneJob = cobra.MatchAll(cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
	if !jobID.matches(args[0]) {
		return fmt.Errorf("cannot use job %q: %s", args[0], jobID)
	}
	return nil
})

// JobIDFlag returns a flag's value that sets to and accepts job IDs only.
func JobIDFlag(to *string) pflag.Value { return &nameFlag{to, jobID} }

// nameFlag is a flag whose value is a name.
type nameFlag struct {
	to   *string
	rule nameRule
}

// String implements pflag.Value.
func (f *nameFlag) String() string { return *f.to }

// Type implements pflag.Value.
func (f *nameFlag) Type() string { return "string" }

// Set implements pflag.Value.
func (f *nameFlag) Set(name string) error {
	if !f.rule.matches(name) {
		return errors.New(f.rule.String())
	}
	*f.to = name
	return nil
}
