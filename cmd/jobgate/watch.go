package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/logs"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/localfile"
	"jobgate/presigner"
)

func newJobs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "What the IoT Jobs service tells",
		Long: `What the IoT Jobs service tells beyond AWS's own API. To create and manage jobs, use the AWS CLI or an SDK with
--endpoint-url at the control listener.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWatch())
	return cmd
}

func newWatch() *cobra.Command {
	var flags cli.ConfigFlags
	var asJSON bool
	var region string
	var certificate clientCertificate
	var o events.Options
	cmd := &cobra.Command{
		Use:   "watch [flags]",
		Short: "Follow the changes of jobs and executions as they happen",
		Long: `Prints a line for each change of a job or an execution, from now on, until Ctrl-C or the gateway ends.

It asks the control listener that the configuration names, on this machine. The request is signed with AWS's standard
credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE); the access key has to be one that the gateway knows, see
jobs.access_keys_file. A certificate of an authority of your own is believed by AWS_CA_BUNDLE; where
control_tls.client_ca_file asks operators for one, --cert-file and --key-file show it.`,
		Example: `  jobgate jobs watch --job-id update-1
  jobgate jobs watch --endpoint-url http://127.0.0.1:8082 --region us-east-1 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context(), func() {})
			defer stop()
			c, err := flags.Options(cmd, config.Serving)
			if err != nil {
				return err
			}
			if err := prepareWatch(ctx, &o, config.Peek(c), region, c.Path != "", &certificate); err != nil {
				return err
			}
			o.Connected = func() { _, _ = fmt.Fprintf(cmd.ErrOrStderr(), "following the jobs of %s\n", o.Endpoint) }
			err = events.Watch(ctx, o, func(e events.Event) error { return printEvent(cmd.OutOrStdout(), &e, asJSON) })
			if ctx.Err() != nil {
				return nil
			}
			return err
		},
	}
	flags.Add(cmd, nil)
	f := cmd.Flags()
	f.StringVar(&o.Endpoint, "endpoint-url", "", "`URL` of the control listener (default: control's, on this machine)")
	f.StringVar(&region, "region", "", "`REGION` of the gateway's jobs (default: jobs.region; without a configuration file, AWS_REGION)")
	f.StringVar(&o.JobID, "job-id", "", "this job only, an `ID`")
	f.BoolVar(&o.OnlyJobs, "only-jobs", false, "no changes of executions")
	f.StringVar(&certificate.cert, "cert-file", "", "client certificate, a PEM `FILE`")
	f.StringVar(&certificate.key, "key-file", "", "its private key, a PEM `FILE`")
	f.BoolVar(&asJSON, "json", false, "a JSON object a line")
	return cmd
}

// prepareWatch finds whom to ask, with which key and certificate. fromFile says that c is more than defaults.
func prepareWatch(ctx context.Context, o *events.Options, c *config.Config, region string, fromFile bool, certificate *clientCertificate) error {
	if o.Endpoint == "" {
		if c.Control == "" {
			return fmt.Errorf("cannot follow the jobs: the configuration turns control off")
		}
		o.Endpoint = controlURL(c, dialable(c.Control))
	}
	settings, err := awsenv.Load(ctx, logs.ForCommand(os.Stderr))
	if err != nil {
		return err
	}
	client, ok := settings.HTTPClient.(*awshttp.BuildableClient) // it knows AWS_CA_BUNDLE
	if !ok {
		client = awshttp.NewBuildableClient()
	}
	transport := client.GetTransport()
	if transport.TLSClientConfig.Certificates, err = certificate.load(); err != nil {
		return err
	}
	o.Client = &http.Client{Transport: transport}
	switch {
	case region != "":
		o.Region = region
	case settings.Region != "" && !fromFile:
		o.Region = settings.Region
	default:
		o.Region = c.Jobs.Region
	}
	key, err := settings.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("cannot sign the request to %s: %w; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of jobs.access_keys_file", o.Endpoint, err)
	}
	o.Credentials = presigner.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, SessionToken: key.SessionToken}
	return nil
}

// clientCertificate is what an operator shows to a control plane with control_tls.client_ca_file.
type clientCertificate struct{ cert, key string }

// load returns the certificate, or none where no file is named.
func (c *clientCertificate) load() ([]tls.Certificate, error) {
	switch {
	case c.cert == "" && c.key == "":
		return nil, nil
	case c.cert == "" || c.key == "":
		return nil, errors.New("cannot show a client certificate without both --cert-file and --key-file")
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
		count("missed", e.Missed) // too many came at once: these are lost
	}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}
