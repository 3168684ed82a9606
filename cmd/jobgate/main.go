// Command jobgate answers device fleets with AWS IoT job documents whose presigned URLs it signs itself.
//
//	main ──▶ root ──▶ serve  ──▶ config.Load ──▶ wire (roles, sources, handler) ──▶ gateway.Server
//	              ├─▶ demo   ──▶ its object store, then the same
//	              ├─▶ render, presign ──▶ config.Load ──▶ one role, one document
//	              ├─▶ check  ──▶ config.Load, jobdoc.Parse
//	              ├─▶ jobs   ──▶ the control listener of a running gateway
//	              ├─▶ store  ──▶ storage, without a gateway
//	              └─▶ bench, codesign, health, version, completion
//
// It is the only package that imports all others; wire.go and jobs.go connect them, in the order in which a request passes
// them. Its packages: cli (flags and usage errors), config (the file), configured (the file as the types of each package),
// awsenv (AWS's settings), logs, telemetry, storage (the jobs' store), codesigning, demo, jobscmd (jobs), offline (check,
// render, presign and codesign).
// Exit status: 0 done, 1 error, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"jobgate/cmd/jobgate/cli"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, std stdio) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var usage *cli.UsageError
	isUsage := errors.As(err, &usage)
	if !errors.Is(err, cli.ErrReported) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintf(std.err, "jobgate: %s\n", line)
		}
	}
	if isUsage {
		_, _ = fmt.Fprintf(std.err, "Run '%s --help' for usage.\n", usage.Command)
		return 2
	}
	return 1
}
