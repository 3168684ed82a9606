package offline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/config/strictyaml"
	"jobgate/cmd/jobgate/configured"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/signing"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

// sessionTimeout is the time limit of a command's wait for a role session.
const sessionTimeout = 30 * time.Second

// signFlags are the flags of commands that sign URLs.
type signFlags struct {
	cli.ConfigFlags
	role    string
	expires string
}

func (f *signFlags) add(cmd *cobra.Command) {
	f.ConfigFlags.Add(cmd, nil)
	cmd.Flags().StringVar(&f.role, "role", "", "sign with this role, a `NAME` under roles (default: presign.role)")
	cmd.Flags().StringVar(&f.expires, "expires", "", "how long the URLs are valid, a `DURATION` (default: presign.expires)")
}

// oneSigner fills documents for one run of a command, with one role and one validity of URLs.
type oneSigner struct {
	s3      awsenv.S3Host
	options jobdoc.Options
	roles   *role.Set
	role    *role.Role
	expires time.Duration
	warn    io.Writer
}

// newSigner reads the configuration and returns a signer for the flags. The caller must close it.
func (f *signFlags) newSigner(cmd *cobra.Command) (*oneSigner, error) {
	return f.newRouteSigner(cmd, "", nil)
}

// newRouteSigner is newSigner with the settings of the route that matches path. It calls found with the route and its
// variables. An empty path means no route.
func (f *signFlags) newRouteSigner(cmd *cobra.Command, path string, found func(*config.Route, map[string]string)) (*oneSigner, error) {
	o, err := f.Options(cmd, config.Signing)
	if err != nil {
		return nil, err
	}
	loaded, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	logs.PrintWarnings(cmd.ErrOrStderr(), loaded.Warnings)
	route := new(config.Route)
	if path != "" {
		variables, err := matchRoute(loaded.Routes, path, &route)
		if err != nil {
			return nil, err
		}
		found(route, variables)
	}
	name := cmp.Or(f.role, route.Role, loaded.Presign.Role)
	if _, listed := loaded.Roles[name]; !listed && name != "" {
		return nil, fmt.Errorf("cannot sign with role %q: it is not one of roles", name)
	}
	expires, err := signExpires(&loaded.Config, name, f.expires, cmp.Or(route.Expires, loaded.Presign.Expires))
	if err != nil {
		return nil, err
	}
	return openSigner(cmd.Context(), loaded, name, expires, cmd.ErrOrStderr())
}

// signExpires parses --expires, and checks that the role allows it.
func signExpires(c *config.Config, name, text string, byDefault time.Duration) (time.Duration, error) {
	if text == "" {
		return byDefault, nil
	}
	most := presigner.MaxExpires
	if r, ok := c.Roles[name]; ok {
		most = r.MaxExpires
	}
	d, err := strictyaml.ParseDuration(text)
	if err != nil || d < presigner.MinExpires || d > most {
		return 0, fmt.Errorf("cannot sign for --expires %q: allowed 1s..%s, written like 90s, 15m, 1h or 7d", text, strictyaml.FormatDuration(most))
	}
	return d, nil
}

// openSigner starts the session of the role and, in a chain, those of its source roles.
func openSigner(ctx context.Context, loaded *config.Loaded, name string, expires time.Duration, warn io.Writer) (*oneSigner, error) {
	aws, err := awsenv.Load(ctx, logs.ForCommand(warn))
	if err != nil {
		return nil, err
	}
	s3, err := awsenv.S3Endpoint(ctx, aws)
	if err != nil {
		return nil, err
	}
	host, err := awsenv.NewS3Host(ctx, aws, s3, loaded.Presign.BucketRegions)
	if err != nil {
		return nil, err
	}
	options, err := configured.DocumentOptions(&loaded.Config, name, configured.Hosts(&loaded.Config, aws, s3))
	if err != nil {
		return nil, err
	}
	used := map[string]time.Duration{name: expires}
	for next := loaded.Roles[name].SourceRole; next != ""; next = loaded.Roles[next].SourceRole {
		used[next] = 0
	}
	roles, err := role.New(role.Options{AWS: aws, Roles: configured.Roles(&loaded.Config, used), OnShortSession: configured.ShortSession(&loaded.Config)})
	if err != nil {
		return nil, err
	}
	r, _ := roles.Role(name) // listed above
	roles.Start(ctx)
	return &oneSigner{s3: host, options: options, roles: roles, role: r, expires: expires, warn: warn}, nil
}

// Close stops renewing the role's session.
func (s *oneSigner) Close() { s.roles.Close() }

// fill fills a document. A document without URLs needs no credentials.
func (s *oneSigner) fill(ctx context.Context, document []byte, values jobdoc.Values) ([]byte, error) {
	template, err := jobdoc.Parse(document, &s.options)
	if err != nil {
		return nil, err
	}
	c := jobdoc.Context{Values: values, Expires: s.expires, Time: time.Now()}
	if template.Signs() {
		if err := s.session(ctx, &c); err != nil {
			return nil, err
		}
	}
	return template.AppendTo(nil, &c)
}

// session waits for the role's session, and sets the signer, time and validity in c.
func (s *oneSigner) session(ctx context.Context, c *jobdoc.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	name := s.role.Config().Name
	if _, err := s.role.Wait(ctx); err != nil { // sets the skew
		return credentialsError(name, err)
	}
	sessions := signing.Sessions{Roles: s.roles}
	c.Time = time.Now().Add(sessions.Skew())
	granted, err := sessions.Grant(ctx, signing.Terms{Role: name, Expires: s.expires, Begin: c.Time, Now: c.Time})
	if err != nil {
		return err
	}
	if granted.Clamped {
		_, _ = fmt.Fprintf(s.warn, "warning: the URLs are valid for %s, not %s, because the session that signs them expires then\n", granted.Lifetime.Round(time.Second), s.expires)
	}
	c.Signer, c.Expires = granted.Signer, granted.Lifetime
	return nil
}

// credentialsError adds the sources of credentials to err.
func credentialsError(name string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	who := "the gateway's own credentials (presign.role is not set)"
	if name != "" {
		who = fmt.Sprintf("role %q", name)
	}
	return fmt.Errorf("cannot sign with %s: %w; AWS's standard settings say where credentials are: AWS_ACCESS_KEY_ID, AWS_PROFILE, a web identity, an instance role", who, err)
}
