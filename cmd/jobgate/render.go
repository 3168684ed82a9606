package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobdoc"
)

func newRender() *cobra.Command {
	var flags signFlags
	var thingName, jobID, execution string
	var parameters map[string]string
	var strict bool
	cmd := &cobra.Command{
		Use:   "render [flags] FILE",
		Short: "Fill one document and print it",
		Long: `Fills the placeholders of FILE (- is standard input) as the gateway would, and prints the document.

A document with presigned URLs needs credentials: those of --role, or of presign.role, or the gateway's own.`,
		Example: `  jobgate render job.json
  jobgate render --role download --expires 1h --thing-name sensor-1 --job-id install-v7 job.json
  jobgate render --parameter channel=beta - < job.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			document, err := readDocument(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			signer, err := flags.newSigner(cmd)
			if err != nil {
				return err
			}
			defer signer.Close()
			signer.options.Parameters, signer.options.Strict = parameters, strict
			values := jobdoc.Values{ThingName: []byte(thingName), JobID: []byte(jobID), ExecutionNumber: []byte(execution)}
			filled, err := signer.fill(cmd.Context(), document, values)
			if err != nil {
				return documentFault(args[0], err)
			}
			_, err = cmd.OutOrStdout().Write(filled)
			return err
		},
	}
	flags.add(cmd)
	f := cmd.Flags()
	f.StringVar(&thingName, "thing-name", "", "`VALUE` of ${thingName}")
	f.StringVar(&jobID, "job-id", "", "`VALUE` of ${jobId}")
	f.StringVar(&execution, "execution-number", "1", "`VALUE` of ${executionNumber}")
	f.StringToStringVar(&parameters, "parameter", nil, "`NAME=VALUE` of ${aws:iot:parameter:NAME}; may be given more than once")
	f.BoolVar(&strict, "strict", false, "refuse what AWS refuses")
	return cmd
}

// maxRead bounds what is read of a document, far above what any limit allows to be filled.
const maxRead = 65 << 20

// readDocument reads a file, or standard input for "-".
func readDocument(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read the document: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	document, err := io.ReadAll(io.LimitReader(in, maxRead))
	if err != nil {
		return nil, fmt.Errorf("cannot read the document: %w", err)
	}
	return document, nil
}

// documentFault puts the place before what is wrong with a document: job.json:3:10: ….
func documentFault(name string, err error) error {
	var e *jobdoc.Error
	if !errors.As(err, &e) {
		return err
	}
	if name == "-" {
		name = "stdin"
	}
	at := config.Fault{Origin: config.Origin{File: name, Line: max(1, e.Line), Column: max(1, e.Column)}, Problem: e.Text()}
	if e.Placeholder != "" {
		at.Problem += ": " + e.Placeholder
	}
	return at
}
