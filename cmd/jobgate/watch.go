package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/jobscmd"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/localfile"
	"jobgate/presigner"
)

func newJobs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "Show and change jobs, through the gateway's control listener",
		Long: `Shows jobs, their progress and their failures, cancels and deletes jobs, and retries failed executions in a new job. To
create jobs, things and groups, use the console, or the AWS CLI or an SDK with the control listener as --endpoint-url.

Each command calls the control listener of the configuration, on this machine, or the one of --endpoint-url. Requests are
signed with AWS's standard credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE). The access key must be one of
jobs.access_keys_file. To trust your own certificate authority, use --ca-file or AWS_CA_BUNDLE. If
control_tls.client_ca_file is set, present a client certificate with --cert-file and --key-file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(jobscmd.Commands(jobscmd.Options{UntilSignal: untilStopped, Connect: connectJobs})...)
	cmd.AddCommand(newWatch())
	return cmd
}

// connectJobs adds the connection flags to a command, and returns a function that reads them.
func connectJobs(cmd *cobra.Command) func(context.Context) (*jobscmd.Connection, error) {
	var flags jobsFlags
	flags.add(cmd)
	return func(ctx context.Context) (*jobscmd.Connection, error) { return flags.connection(ctx, cmd) }
}

func newWatch() *cobra.Command {
	var flags jobsFlags
	var asJSON bool
	var o events.Options
	cmd := &cobra.Command{
		Use:   "watch [flags]",
		Short: "Follow the changes of jobs and executions as they happen",
		Long: `Prints a line for each new change of a job or an execution, until Ctrl-C or until the gateway stops. For the listener
and the access key, see jobgate jobs --help.`,
		Example: `  jobgate jobs watch --job-id update-1
  jobgate jobs watch --endpoint-url http://127.0.0.1:8082 --region us-east-1 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			to, err := flags.connection(ctx, cmd)
			if err != nil {
				return err
			}
			o.Endpoint, o.Region, o.Credentials, o.Client = to.Endpoint, to.Region, to.Credentials, to.HTTP
			o.Connected = func() { _, _ = fmt.Fprintf(cmd.ErrOrStderr(), "following the jobs of %s\n", o.Endpoint) }
			err = events.Watch(ctx, o, func(e events.Event) error { return printEvent(cmd.OutOrStdout(), &e, asJSON) })
			if ctx.Err() != nil {
				return nil
			}
			return err
		},
	}
	flags.add(cmd)
	f := cmd.Flags()
	f.Var(jobscmd.JobIDFlag(&o.JobID), "job-id", "only this job, an `ID`")
	f.BoolVar(&o.OnlyJobs, "only-jobs", false, "no changes of executions")
	f.BoolVar(&asJSON, "json", false, "print a JSON object a line")
	return cmd
}

// jobsFlags are the flags for connecting to the control listener.
type jobsFlags struct {
	config           cli.ConfigFlags
	endpoint, region string
	certificate      clientCertificate
	authorities      string
}

func (f *jobsFlags) add(cmd *cobra.Command) {
	f.config.Add(cmd, nil)
	flags := cmd.Flags()
	flags.StringVar(&f.endpoint, "endpoint-url", "", "`URL` of the control listener (default: that of control, on this machine)")
	flags.StringVar(&f.region, "region", "", "`REGION` of the gateway's jobs (default: jobs.region; without a configuration file, AWS_REGION)")
	flags.StringVar(&f.certificate.cert, "cert-file", "", "client certificate, a PEM `FILE`")
	flags.StringVar(&f.certificate.key, "key-file", "", "private key of --cert-file, a PEM `FILE`")
	flags.StringVar(&f.authorities, "ca-file", "", "certificate authorities to trust, a PEM `FILE` (default: AWS_CA_BUNDLE, else the system's)")
}

// connection returns the control listener's address, with the key and certificate to use.
func (f *jobsFlags) connection(ctx context.Context, cmd *cobra.Command) (*jobscmd.Connection, error) {
	o, err := f.config.Options(cmd, config.Serving)
	if err != nil {
		return nil, err
	}
	c := config.Peek(o)
	to := &jobscmd.Connection{Endpoint: f.endpoint, Region: f.region}
	if to.Endpoint == "" {
		if c.Control == "" {
			return nil, errors.New("cannot ask for jobs: the configuration turns control off")
		}
		to.Endpoint = controlURL(c, dialable(c.Control))
	}
	settings, err := awsenv.Load(ctx, logs.ForCommand(os.Stderr))
	if err != nil {
		return nil, err
	}
	if to.HTTP, err = f.client(settings.HTTPClient); err != nil {
		return nil, err
	}
	switch fromFile := o.Path != ""; { // c holds more than defaults
	case to.Region != "":
	case settings.Region != "" && !fromFile:
		to.Region = settings.Region
	default:
		to.Region = c.Jobs.Region
	}
	key, err := settings.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the request to %s: %w; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of jobs.access_keys_file", to.Endpoint, err)
	}
	to.Credentials = presigner.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, SessionToken: key.SessionToken}
	return to, nil
}

// client returns the HTTP client of AWS's settings, which honors AWS_CA_BUNDLE, with the flags' certificates. It has no
// timeout, because an event stream does not end.
func (f *jobsFlags) client(from aws.HTTPClient) (*http.Client, error) {
	client, ok := from.(*awshttp.BuildableClient)
	if !ok {
		client = awshttp.NewBuildableClient()
	}
	transport := client.GetTransport()
	var err error
	if transport.TLSClientConfig.Certificates, err = f.certificate.load(); err != nil {
		return nil, err
	}
	if f.authorities != "" {
		pem, _, err := localfile.Read(f.authorities, maxAuthorities)
		if err != nil {
			return nil, fmt.Errorf("cannot read the authorities of --ca-file: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cannot use --ca-file %q: it holds no certificate in PEM", f.authorities)
		}
	}
	return &http.Client{Transport: transport}, nil
}

// maxAuthorities bounds the file of --ca-file, in bytes.
const maxAuthorities = 4 << 20

// clientCertificate is the operator's certificate for a control plane with control_tls.client_ca_file.
type clientCertificate struct{ cert, key string }

// load returns the certificate, or none if no file is named.
func (c *clientCertificate) load() ([]tls.Certificate, error) {
	switch {
	case c.cert == "" && c.key == "":
		return nil, nil
	case c.cert == "" || c.key == "":
		return nil, errors.New("cannot present a client certificate without both --cert-file and --key-file")
	}
	pair, err := localfile.KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("cannot use client certificate %q: %w; see --cert-file, --key-file", c.cert, err)
	}
	return []tls.Certificate{pair}, nil
}

// printEvent writes one line.
func printEvent(w io.Writer, e *events.Event, asJSON bool) error {
	if asJSON {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", line)
		return err
	}
	_, err := fmt.Fprintln(w, eventLine(e))
	return err
}

// eventLine is an event for people:
//
//	2026-11-23T12:00:00.123Z job.progress update-1 IN_PROGRESS QUEUED=1 SUCCEEDED=2
//	2026-11-23T12:00:00.125Z execution.updated update-1 sensor-1 SUCCEEDED number=1 version=3
func eventLine(e *events.Event) string {
	words := []string{e.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"), e.Type, e.JobID}
	count := func(name string, n int64) { words = append(words, fmt.Sprintf("%s=%d", name, n)) }
	if e.ThingName != "" {
		words = append(words, e.ThingName, e.Status)
		count("number", e.ExecutionNumber)
		count("version", e.VersionNumber)
		if e.RetryAttempt > 0 {
			count("retry", int64(e.RetryAttempt))
		}
	} else {
		words = append(words, e.JobStatus)
		for _, status := range slices.Sorted(maps.Keys(e.Executions)) {
			count(status, e.Executions[status])
		}
	}
	if e.ReasonCode != "" {
		words = append(words, "reason="+e.ReasonCode)
	}
	if e.Missed > 0 {
		count("missed", e.Missed) // dropped because there were too many
	}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}
