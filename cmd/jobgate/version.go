package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the release's build: -ldflags "-X main.version=v1.2.3".
var version string

// buildInfo says which source was built.
type buildInfo struct{ version, revision string }

// buildVersion takes the version from the linker, else from the module, and the revision from version control.
func buildVersion() buildInfo {
	b := buildInfo{version: version, revision: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.version == "" {
		b.version = info.Main.Version
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		b.revision += "+modified"
	}
	if b.version == "" || b.version == "(devel)" {
		b.version = "devel"
	}
	return b
}

// String is one line: jobgate v1.2.3 (revision abc, go1.26.0 linux/amd64).
func (b buildInfo) String() string {
	return fmt.Sprintf("jobgate %s (revision %s, %s %s/%s)", b.version, b.revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), buildVersion())
			return err
		},
	}
}
