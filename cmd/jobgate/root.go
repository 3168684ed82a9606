package main

import (
	"github.com/spf13/cobra"

	"jobgate/bench"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/demo"
	"jobgate/cmd/jobgate/offline"
	"jobgate/cmd/jobgate/storage"
)

// newRoot builds the command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "jobgate",
		Short: "Serve AWS IoT job documents with presigned URLs, without AWS on the request path",
		Long: `jobgate serves AWS IoT job documents to device fleets and signs the S3 URLs in them itself.

Start with jobgate demo, which needs no AWS account and no configuration.`,
		Args:                       cli.UnknownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Version:                    buildVersion().String(),
		DisableAutoGenTag:          true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return cli.Usage(cmd, err) })
	root.AddCommand(newServe(), demo.Command(startDemo, untilStopped), offline.Render(), offline.Presign(), offline.CodeSign(), offline.Check(compile), bench.Command(), newJobs(), storage.Command(), newHealth(), newVersion(), newMan())
	root.InitDefaultCompletionCmd()
	cli.MarkUsage(root)
	return root
}
