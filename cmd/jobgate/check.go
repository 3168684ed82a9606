package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobdoc"
)

func newCheck() *cobra.Command {
	var flags configFlags
	var roleName string
	var parameters []string
	var strict, quiet bool
	cmd := &cobra.Command{
		Use:   "check [flags] [DOCUMENT…]",
		Short: "Validate the configuration and documents",
		Long: `Reads the configuration as serve would, and each DOCUMENT as a route would, and says what is wrong: file, line,
column, and how to mend it. Nothing is asked of AWS or any other server. The exit status is 1 if there is a fault.

Documents are judged by the lists of objects of --role, or of presign.`,
		Example: `  jobgate check --config jobgate.yaml
  jobgate check documents/*.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := checker{cmd: cmd, quiet: quiet}
			loaded, err := c.configuration(&flags, len(args) > 0)
			if err != nil {
				return err
			}
			if err := c.documents(loaded, roleName, parameters, strict, args); err != nil {
				return err
			}
			if c.faults > 0 {
				return errReported
			}
			return nil
		},
	}
	flags.add(cmd, nil)
	f := cmd.Flags()
	f.StringVar(&roleName, "role", "", "judge documents by the lists of this role, a `NAME` under roles")
	f.StringSliceVar(&parameters, "parameter", nil, "`NAME` of a parameter that documents will be given")
	f.BoolVar(&strict, "strict", false, "refuse in documents what AWS refuses")
	f.BoolVarP(&quiet, "quiet", "q", false, "print faults and warnings only")
	return cmd
}

// checker prints what it finds: faults and warnings to standard error, what is well to standard output.
type checker struct {
	cmd    *cobra.Command
	quiet  bool
	faults int
}

func (c *checker) fault(err error) {
	c.faults++
	_, _ = fmt.Fprintln(c.cmd.ErrOrStderr(), err)
}

func (c *checker) well(format string, args ...any) {
	if !c.quiet {
		_, _ = fmt.Fprintf(c.cmd.OutOrStdout(), format+"\n", args...)
	}
}

// configuration checks the file. Without one, and with documents to check, the defaults do.
func (c *checker) configuration(flags *configFlags, documents bool) (*config.Loaded, error) {
	o, err := flags.options(c.cmd, config.Serving)
	if err != nil {
		return nil, err
	}
	if o.Path == "" && documents {
		o.Scope = config.Signing
	}
	loaded, err := config.Load(o)
	faults, isFaults := config.AsFaults(err)
	if err != nil && !isFaults {
		return nil, err
	}
	for _, f := range faults {
		c.fault(f)
	}
	if isFaults {
		return &config.Loaded{Config: *config.Default()}, nil // documents are checked all the same
	}
	printWarnings(c.cmd.ErrOrStderr(), append(loaded.Warnings, missingFiles(loaded)...))
	if o.Scope == config.Serving {
		if err := compile(c.cmd.Context(), loaded.Config); err != nil {
			c.fault(err)
			return loaded, nil
		}
	}
	if o.Path != "" {
		c.well("%s: well (%d routes, %d roles)", o.Path, len(loaded.Routes), len(loaded.Roles))
	}
	return loaded, nil
}

// missingFiles warns of files that the configuration names and that are not on this machine, which need not be the one
// that will serve.
func missingFiles(l *config.Loaded) (warnings config.Faults) {
	for _, f := range []struct{ key, name string }{
		{"tls.cert_file", l.TLS.CertFile},
		{"tls.key_file", l.TLS.KeyFile},
		{"tls.client_ca_file", l.TLS.ClientCAFile},
		{"control_tls.cert_file", l.ControlTLS.CertFile},
		{"control_tls.key_file", l.ControlTLS.KeyFile},
		{"control_tls.client_ca_file", l.ControlTLS.ClientCAFile},
		{"sidecar_token_file", l.SidecarTokenFile},
		{"jobs.access_keys_file", l.Jobs.AccessKeysFile},
	} {
		if f.name == "" {
			continue
		}
		if _, err := os.Stat(f.name); err != nil {
			warnings = append(warnings, config.Fault{Origin: l.Origin(f.key), Key: f.key, Problem: fmt.Sprintf("%q cannot be read on this machine", f.name), Mend: "serve needs it where it runs"})
		}
	}
	return warnings
}

// documents checks each file.
func (c *checker) documents(loaded *config.Loaded, roleName string, parameters []string, strict bool, files []string) error {
	roleName = cmp.Or(roleName, loaded.Presign.Role)
	if _, listed := loaded.Roles[roleName]; !listed && roleName != "" && c.faults == 0 {
		return fmt.Errorf("cannot check for role %q: it is not one of roles", roleName)
	}
	settings, err := loadAWS(c.cmd.Context())
	if err != nil {
		settings = aws.Config{} // documents can be judged without; serve will say what is wrong
	}
	s3, err := s3Endpoint(c.cmd.Context(), settings)
	if err != nil {
		return err
	}
	options, err := documentOptions(&loaded.Config, roleName, hosts(&loaded.Config, settings, s3))
	if err != nil {
		return err
	}
	options.Strict = strict
	options.Parameters = givenParameters(loaded, parameters)
	for _, name := range files {
		c.document(name, &options)
	}
	return nil
}

// givenParameters are the parameters that a route gives, and those named on the command line.
func givenParameters(loaded *config.Loaded, names []string) map[string]string {
	all := map[string]string{}
	for _, r := range loaded.Routes {
		for name, value := range r.Parameters {
			all[name] = value
		}
	}
	for _, name := range names {
		name, value, _ := strings.Cut(name, "=")
		all[name] = value
	}
	return all
}

func (c *checker) document(name string, options *jobdoc.Options) {
	text, err := readDocument(c.cmd.InOrStdin(), name)
	if err != nil {
		c.fault(err)
		return
	}
	if name == "-" {
		name = "stdin"
	}
	warnings := jobdoc.Lint(text, options)
	slices.SortFunc(warnings, func(a, b jobdoc.Warning) int { return (a.Line-b.Line)<<16 + a.Column - b.Column })
	for _, w := range warnings {
		_, _ = fmt.Fprintf(c.cmd.ErrOrStderr(), "warning: %s:%d:%d: %s\n", name, w.Line, w.Column, w.Message)
	}
	template, err := jobdoc.Parse(text, options)
	if err != nil {
		var e *jobdoc.Error
		if errors.As(err, &e) {
			err = documentFault(name, err)
		}
		c.fault(err)
		return
	}
	uploads, device := "", ""
	if template.Uploads() {
		uploads = ", with uploads"
	}
	if template.PerDevice() {
		device = ", different for each device"
	}
	c.well("%s: well (%d placeholders%s%s)", name, template.Placeholders(), uploads, device)
}
