package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/config"
)

// ConfigFlags are the flags of commands that read the configuration.
type ConfigFlags struct {
	path string
	sets []string // key=value

	named map[string]*string // values of flags for single settings, by key
}

// Add registers --config and --set, and a flag for each setting of named, which maps the setting's key to the flag's help.
func (f *ConfigFlags) Add(cmd *cobra.Command, named map[string]string) {
	flags := cmd.Flags()
	flags.StringVarP(&f.path, "config", "c", "", "configuration `FILE` (default: JOBGATE_CONFIG, else jobgate.yaml if it exists)")
	flags.StringArrayVar(&f.sets, "set", nil, "one setting, `KEY=VALUE`, which overrides file and environment: presign.expires=10m")
	f.named = map[string]*string{}
	for key, help := range named {
		f.named[key] = flags.String(flagName(key), "", help)
	}
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag exists
	_ = cmd.RegisterFlagCompletionFunc("set", completeSetting)
}

// flagName returns the name of a setting's flag.
func flagName(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, ".", "-"), "_", "-")
}

// completeSetting completes the keys that --set accepts.
func completeSetting(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var keys []string
	for _, s := range config.Settings() {
		if s.Env != "" {
			keys = append(keys, s.Key+"=")
		}
	}
	return keys, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// Options returns what to load: the file, the environment and the flags that were set.
func (f *ConfigFlags) Options(cmd *cobra.Command, scope config.Scope) (config.Options, error) {
	o := config.Options{Path: f.file(), Environ: os.Environ(), Scope: scope}
	for _, set := range f.sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok {
			return o, Usage(cmd, fmt.Errorf("cannot use --set %q: want KEY=VALUE", set))
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

// file returns the configuration file: --config, else JOBGATE_CONFIG, else jobgate.yaml if it exists.
func (f *ConfigFlags) file() string {
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
