package offline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/cli"
	"jobgate/gateway/jobdoc"
)

// Presign returns jobgate presign.
func Presign() *cobra.Command {
	var flags signFlags
	var method string
	cmd := &cobra.Command{
		Use:   "presign [flags] URL",
		Short: "Print one presigned URL",
		Long: `Signs the URL of one S3 object and prints it. URL is percent-encoded, in any form that a job document may contain:
https://s3.REGION.amazonaws.com/BUCKET/KEY, https://BUCKET.s3.REGION.amazonaws.com/KEY?versionId=ID,
one at the configured endpoint, or s3://BUCKET/KEY, whose host follows the AWS settings (AWS_REGION,
AWS_ENDPOINT_URL_S3, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT), as in aws s3 presign.`,
		Example: `  jobgate presign s3://firmware/v7.bin
  jobgate presign --method PUT --expires 1h --role upload https://s3.eu-west-1.amazonaws.com/logs/thing-1.log`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := awsenv.Placeholder(method, args[0], &awsenv.S3Host{}); err != nil {
				return cli.Usage(cmd, err)
			}
			signer, err := flags.newSigner(cmd)
			if err != nil {
				return err
			}
			defer signer.Close()
			signer.options.PlainText = true
			document, err := awsenv.Placeholder(method, args[0], &signer.s3)
			if err != nil {
				return err
			}
			signed, err := signer.fill(cmd.Context(), []byte(document), jobdoc.Values{})
			if err != nil {
				return presignFault(args[0], err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", signed)
			return err
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&method, "method", "GET", "what the URL is for: GET or PUT")
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions([]string{"GET", "PUT"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// presignFault returns the fault of a URL, without its position in the generated document.
func presignFault(raw string, err error) error {
	var e *jobdoc.Error
	if !errors.As(err, &e) {
		return err
	}
	before, _, _ := strings.Cut(raw, "?")
	return fmt.Errorf("cannot presign %q: %s", before, e.Text())
}
