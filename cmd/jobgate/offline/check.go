// Package offline holds the commands that need no running gateway: check, render, presign, codesign. They read the
// configuration as serve does. If they make network requests, these go to AWS.
package offline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/codesigning"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/config/strictyaml"
	"jobgate/cmd/jobgate/configured"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
)

// Check returns jobgate check. compile builds everything that a configuration needs, without listening or making requests.
func Check(compile func(context.Context, config.Config) error) *cobra.Command {
	var flags cli.ConfigFlags
	var given documentFlags
	var quiet bool
	cmd := &cobra.Command{
		Use:   "check [flags] [DOCUMENT…]",
		Short: "Validate the configuration and documents",
		Long: `Reads the configuration as serve would, and each DOCUMENT as a route would. It reports each fault with its file, line
and column, and how to fix it. It makes no network requests. The exit status is 1 if there is a fault.

A document is checked for each route that could serve it, with the route's role, parameters and strictness. These are
the routes whose document: ends in a name that matches the file's, or all routes if none matches. Without routes, only
presign applies. --role replaces the routes' roles.`,
		Example: `  jobgate check --config jobgate.yaml
  jobgate check documents/*.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := checker{cmd: cmd, compile: compile, quiet: quiet}
			loaded, err := c.configuration(&flags, len(args) > 0)
			if err != nil {
				return err
			}
			if err := c.documents(loaded, given, args); err != nil {
				return err
			}
			if c.faults > 0 {
				return cli.ErrReported
			}
			return nil
		},
	}
	flags.Add(cmd, nil)
	f := cmd.Flags()
	f.StringVar(&given.role, "role", "", "check documents for this role, a `NAME` under roles, instead of the routes' roles")
	f.StringSliceVar(&given.parameters, "parameter", nil, "`NAME` of a parameter that documents will get")
	f.BoolVar(&given.strict, "strict", false, "refuse in documents what AWS refuses")
	f.BoolVarP(&quiet, "quiet", "q", false, "print faults and warnings only")
	return cmd
}

// checker prints its findings: faults and warnings to standard error, "ok" lines to standard output.
type checker struct {
	cmd     *cobra.Command
	compile func(context.Context, config.Config) error
	quiet   bool
	faults  int
}

func (c *checker) fault(err error) {
	c.faults++
	_, _ = fmt.Fprintln(c.cmd.ErrOrStderr(), err)
}

func (c *checker) ok(format string, args ...any) {
	if !c.quiet {
		_, _ = fmt.Fprintf(c.cmd.OutOrStdout(), format+"\n", args...)
	}
}

// configuration checks the file. Without one, if there are documents to check, it uses the defaults.
func (c *checker) configuration(flags *cli.ConfigFlags, documents bool) (*config.Loaded, error) {
	o, err := flags.Options(c.cmd, config.Serving)
	if err != nil {
		return nil, err
	}
	if o.Path == "" && documents {
		o.Scope = config.Signing
	}
	loaded, err := config.Load(o)
	faults, isFaults := strictyaml.AsFaults(err)
	if err != nil && !isFaults {
		return nil, err
	}
	for _, f := range faults {
		c.fault(f)
	}
	if isFaults {
		return &config.Loaded{Config: *config.Default()}, nil // documents are checked anyway
	}
	logs.PrintWarnings(c.cmd.ErrOrStderr(), append(loaded.Warnings, missingFiles(loaded)...))
	if o.Scope == config.Serving {
		if err := c.compile(c.cmd.Context(), loaded.Config); err != nil {
			c.fault(err)
			return loaded, nil
		}
	}
	if o.Path != "" {
		c.ok("%s: ok (%s, %s)", o.Path, english.Plural(len(loaded.Routes), "route", ""), english.Plural(len(loaded.Roles), "role", ""))
	}
	return loaded, nil
}

// missingFiles warns about the configuration's files that do not exist on this machine. That is not a fault, because the
// gateway may run on another machine.
func missingFiles(l *config.Loaded) (warnings config.Faults) {
	files := []struct{ key, name string }{
		{"tls.cert_file", l.TLS.CertFile},
		{"tls.key_file", l.TLS.KeyFile},
		{"tls.client_ca_file", l.TLS.ClientCAFile},
		{"control_tls.cert_file", l.ControlTLS.CertFile},
		{"control_tls.key_file", l.ControlTLS.KeyFile},
		{"control_tls.client_ca_file", l.ControlTLS.ClientCAFile},
		{"mqtt.tls.cert_file", l.MQTT.TLS.CertFile},
		{"mqtt.tls.key_file", l.MQTT.TLS.KeyFile},
		{"mqtt.tls.client_ca_file", l.MQTT.TLS.ClientCAFile},
		{"mqtt.tls.crl_file", l.MQTT.TLS.CRLFile},
		{"mqtt.broker.password_file", l.MQTT.Broker.PasswordFile},
		{"mqtt.broker.ca_file", l.MQTT.Broker.CAFile},
		{"mqtt.broker.cert_file", l.MQTT.Broker.CertFile},
		{"mqtt.broker.key_file", l.MQTT.Broker.KeyFile},
		{"sidecar_token_file", l.SidecarTokenFile},
		{"jobs.access_keys_file", l.Jobs.AccessKeysFile},
	}
	for _, name := range l.CodeSign.Names() {
		files = append(files, struct{ key, name string }{"codesign.profiles." + name + ".key_file", l.CodeSign.Profiles[name].KeyFile})
	}
	for _, f := range files {
		if f.name == "" {
			continue
		}
		if _, err := os.Stat(f.name); err != nil {
			warnings = append(warnings, config.Fault{Origin: l.Origin(f.key), Key: f.key, Problem: fmt.Sprintf("%q cannot be read on this machine", f.name), Fix: "serve needs it where it runs"})
		}
	}
	return warnings
}

// variant is one way in which a document may be served.
type variant struct {
	route   string // the route's path, for faults; "": no route
	options jobdoc.Options
}

// documents checks each file.
func (c *checker) documents(loaded *config.Loaded, given documentFlags, files []string) error {
	if _, listed := loaded.Roles[given.role]; !listed && given.role != "" && c.faults == 0 {
		return fmt.Errorf("cannot check for role %q: it is not one of roles", given.role)
	}
	settings, err := awsenv.Load(c.cmd.Context(), logs.ForCommand(c.cmd.ErrOrStderr()))
	if err != nil {
		settings = aws.Config{} // documents can be checked without them; serve reports the error
	}
	s3, err := awsenv.S3Endpoint(c.cmd.Context(), settings)
	if err != nil {
		return err
	}
	at := configured.Hosts(&loaded.Config, settings, s3)
	for _, name := range files {
		all, err := given.variants(loaded, at, name)
		if err != nil {
			return err
		}
		c.document(name, all)
	}
	return nil
}

// documentFlags hold the flags that say how documents are served.
type documentFlags struct {
	role       string
	parameters []string // NAME or NAME=VALUE
	strict     bool
}

// variants returns the ways in which the file may be served.
func (g *documentFlags) variants(loaded *config.Loaded, at s3host.Config, file string) ([]variant, error) {
	routes := routesFor(loaded.Routes, file)
	if len(routes) == 0 {
		routes = []config.Route{{}}
	}
	var all []variant
	for _, r := range routes {
		options, err := configured.DocumentOptions(&loaded.Config, cmp.Or(g.role, r.Role, loaded.Presign.Role), at)
		if err != nil {
			return nil, err
		}
		options.Strict = g.strict || r.Strict
		if !r.Fill || r.CodeSign {
			if options.Signatures, err = codesigning.Allowed(&loaded.Config); err != nil {
				return nil, err
			}
		}
		options.Parameters = maps.Clone(r.Parameters)
		if options.Parameters == nil {
			options.Parameters = map[string]string{}
		}
		for _, name := range g.parameters {
			name, value, _ := strings.Cut(name, "=")
			options.Parameters[name] = value
		}
		all = append(all, variant{r.Path, options})
	}
	return all, nil
}

// document reports each fault of a file once, with the routes that it affects.
func (c *checker) document(name string, all []variant) {
	text, err := readDocument(c.cmd.InOrStdin(), name)
	if err != nil {
		c.fault(err)
		return
	}
	if name == "-" {
		name = "stdin"
	}
	c.lint(name, text, &all[0].options)
	var template *jobdoc.Template
	var faults []string
	affected := map[string][]string{}
	for i := range all {
		parsed, err := jobdoc.Parse(text, &all[i].options)
		if err == nil {
			template = parsed
			continue
		}
		for line := range strings.Lines(documentFaults(name, text, &all[i].options, err).Error()) {
			line = strings.TrimSuffix(line, "\n")
			if affected[line] == nil {
				faults = append(faults, line)
			}
			affected[line] = append(affected[line], all[i].route)
		}
	}
	for _, f := range faults {
		if routes := affected[f]; routes[0] != "" {
			f += "; as " + strings.Join(routes, ", ") + " serves it"
		}
		c.fault(errors.New(f))
	}
	if len(faults) > 0 {
		return
	}
	uploads, device := "", ""
	if template.Uploads() {
		uploads = ", with uploads"
	}
	if template.PerDevice() {
		device = ", different for each device"
	}
	c.ok("%s: ok (%s%s%s)", name, english.Plural(template.Placeholders()+template.Signatures(), "placeholder", ""), uploads, device)
}

// lint prints warnings about likely mistakes.
func (c *checker) lint(name string, text []byte, options *jobdoc.Options) {
	warnings := jobdoc.Lint(text, options)
	slices.SortFunc(warnings, func(a, b jobdoc.Warning) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	for _, w := range warnings {
		_, _ = fmt.Fprintf(c.cmd.ErrOrStderr(), "warning: %s:%d:%d: %s\n", name, w.Line, w.Column, w.Message)
	}
}
