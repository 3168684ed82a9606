package offline

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobdoc"
)

// Render returns jobgate render.
func Render() *cobra.Command {
	var flags signFlags
	var as renderAs
	cmd := &cobra.Command{
		Use:   "render [flags] FILE",
		Short: "Fill one document and print it",
		Long: `Fills the placeholders of FILE (- is standard input) as the gateway would, and prints the document.

A document with presigned URLs needs credentials: those of --role, or of presign.role, or the gateway's own.`,
		Example: `  jobgate render job.json
  jobgate render --role download --expires 1h --thing-name sensor-1 --job-id install-v7 job.json
  jobgate render --config jobgate.yaml --path /things/sensor-1/jobs/install-v7/document job.json
  jobgate render --parameter channel=beta - < job.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			document, err := readDocument(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			signer, err := flags.newRouteSigner(cmd, as.path, as.route)
			if err != nil {
				return err
			}
			defer signer.Close()
			if len(jobdoc.CodeFiles(document, nil)) > 0 {
				codes, stop, err := openCodeSigner(cmd, &flags.ConfigFlags)
				if err != nil {
					return err
				}
				defer stop()
				if codes.Signs() {
					signer.options.Signatures = codes.Making(cmd.Context())
				}
			}
			signer.options.Parameters, signer.options.Strict = as.parameters, as.strict
			values := jobdoc.Values{ThingName: []byte(as.thingName), JobID: []byte(as.jobID), ExecutionNumber: []byte(cmp.Or(as.execution, "1"))}
			filled, err := signer.fill(cmd.Context(), document, values)
			if err != nil {
				return documentFaults(args[0], document, &signer.options, err)
			}
			_, err = cmd.OutOrStdout().Write(filled)
			return err
		},
	}
	flags.add(cmd)
	f := cmd.Flags()
	f.StringVar(&as.path, "path", "", "fill it as the route that matches `PATH`, with its role, expires, parameters and path variables; flags take precedence")
	f.StringVar(&as.thingName, "thing-name", "", "`VALUE` of ${thingName}")
	f.StringVar(&as.jobID, "job-id", "", "`VALUE` of ${jobId}")
	f.StringVar(&as.execution, "execution-number", "", "`VALUE` of ${executionNumber} (default 1)")
	f.StringToStringVar(&as.parameters, "parameter", nil, "`NAME=VALUE` of ${aws:iot:parameter:NAME}; may be given more than once")
	f.BoolVar(&as.strict, "strict", false, "refuse what AWS refuses")
	return cmd
}

// renderAs holds the flags for the values to fill a document with.
type renderAs struct {
	path                        string // of a request; "": no route
	thingName, jobID, execution string
	parameters                  map[string]string
	strict                      bool
}

// route takes values that no flag sets from a route.
func (a *renderAs) route(r *config.Route, variables map[string]string) {
	a.thingName = cmp.Or(a.thingName, variables["thingName"])
	a.jobID = cmp.Or(a.jobID, variables["jobId"])
	a.execution = cmp.Or(a.execution, variables["executionNumber"])
	a.strict = a.strict || r.Strict
	given := a.parameters
	a.parameters = maps.Clone(r.Parameters)
	if a.parameters == nil {
		a.parameters = map[string]string{}
	}
	maps.Copy(a.parameters, given)
}

// maxRead is the maximum number of bytes that are read of an input. It is above the maximum of limits.max_document.
const maxRead = 65 << 20

// readDocument reads a file, or standard input for "-".
func readDocument(stdin io.Reader, name string) ([]byte, error) {
	document, err := readInput(stdin, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the document: %w", err)
	}
	return document, nil
}

// readInput reads a command's input: a file, or standard input for "-".
func readInput(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	return io.ReadAll(io.LimitReader(in, maxRead))
}
