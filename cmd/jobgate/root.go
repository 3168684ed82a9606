package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"jobgate/bench"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/demo"
)

// newRoot builds the command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "jobgate",
		Short: "Serve AWS IoT job documents with presigned URLs, without AWS on the request path",
		Long: `jobgate serves AWS IoT job documents to device fleets and signs the S3 URLs in them itself.

Start with jobgate demo, which needs no AWS account and no configuration.`,
		Args:                       unknownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Version:                    buildVersion().String(),
		DisableAutoGenTag:          true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd.CommandPath(), err} })
	root.AddCommand(newServe(), demo.Command(startDemo, untilStopped), newRender(), newPresign(), newCodeSign(), newCheck(), bench.Command(), newJobs(), newStore(), newHealth(), newVersion(), newMan())
	root.InitDefaultCompletionCmd()
	markUsage(root)
	return root
}

// unknownCommand refuses words after jobgate that are no command, and says which was meant.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	near := cmd.SuggestionsFor(args[0])
	if len(near) == 0 {
		return fmt.Errorf("unknown command %q", args[0])
	}
	return fmt.Errorf("unknown command %q; did you mean %q?", args[0], near[0])
}

// markUsage makes wrong arguments of cmd, and of the commands below it, usage errors.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		markUsage(child)
	}
}

// configFlags are the flags of commands that read the configuration.
type configFlags struct {
	path string
	sets []string // key=value

	named map[string]*string // values of flags that stand for one setting, by key
}

// add registers --config and --set, and a flag for each of named, which gives the setting's key and help.
func (f *configFlags) add(cmd *cobra.Command, named map[string]string) {
	flags := cmd.Flags()
	flags.StringVarP(&f.path, "config", "c", "", "configuration `FILE` (JOBGATE_CONFIG; else jobgate.yaml, where there is one)")
	flags.StringArrayVar(&f.sets, "set", nil, "one setting, `KEY=VALUE`, over file and environment: presign.expires=10m")
	f.named = map[string]*string{}
	for key, help := range named {
		f.named[key] = flags.String(flagName(key), "", help)
	}
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag is there
	_ = cmd.RegisterFlagCompletionFunc("set", completeSetting)
}

// flagName is the flag that stands for a setting.
func flagName(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, ".", "-"), "_", "-")
}

// completeSetting offers the keys that --set takes.
func completeSetting(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var keys []string
	for _, s := range config.Settings() {
		if s.Env != "" {
			keys = append(keys, s.Key+"=")
		}
	}
	return keys, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// options says what to load: the file, the environment and the flags that were set.
func (f *configFlags) options(cmd *cobra.Command, scope config.Scope) (config.Options, error) {
	o := config.Options{Path: f.file(), Environ: os.Environ(), Scope: scope}
	for _, set := range f.sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok {
			return o, &usageError{cmd.CommandPath(), fmt.Errorf("cannot use --set %q: want KEY=VALUE", set)}
		}
		o.Flags = append(o.Flags, config.Flag{Name: "--set", Key: key, Text: value})
	}
	for key, value := range f.named {
		if name := flagName(key); cmd.Flags().Changed(name) {
			o.Flags = append(o.Flags, config.Flag{Name: "--" + name, Key: key, Text: *value})
		}
	}
	return o, nil
}

// file is the configuration file: the flag's, else JOBGATE_CONFIG's, else jobgate.yaml where there is one.
func (f *configFlags) file() string {
	if f.path != "" {
		return f.path
	}
	if path := os.Getenv("JOBGATE_CONFIG"); path != "" {
		return path
	}
	if _, err := os.Stat("jobgate.yaml"); err == nil {
		return "jobgate.yaml"
	}
	return ""
}
