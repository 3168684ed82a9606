package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"jobgate/bench/report"
)

// output says where a report goes besides the table on standard output.
type output struct {
	json, html string // file names; "-" is standard output, instead of the table
}

func (o *output) register(set *pflag.FlagSet) {
	set.StringVar(&o.json, "json", "", "write the report as JSON to this file, for diff and merge (- for standard output, instead of the table)")
	set.StringVar(&o.html, "html", "", "write the report as one HTML file with plots, which opens offline (- for standard output, instead of the table)")
}

// outputs are the opened files. They are opened before the run, so that a file that
// cannot be written fails early. They are truncated only when there is a report, so
// that a run without a result leaves an earlier report unchanged.
type outputs struct {
	json, html *outputFile // nil: not requested, or to standard output
	toStdout   string      // "json" or "html" instead of the table
}

// outputFile is a file to write to; created says that it did not exist before.
type outputFile struct {
	*os.File
	created bool
}

func (o *output) open() (*outputs, error) {
	if o.json != "" && filepath.Clean(o.json) == filepath.Clean(o.html) {
		return nil, fmt.Errorf("cannot write both reports to %q: give --json and --html different names", o.json)
	}
	out := new(outputs)
	var err error
	switch {
	case o.json == "-":
		out.toStdout = "json"
	case o.json != "":
		if out.json, err = openOutput(o.json); err != nil {
			return nil, fmt.Errorf("cannot write the report: %w", err)
		}
	}
	switch {
	case o.html == "-":
		out.toStdout = "html"
	case o.html != "":
		if out.html, err = openOutput(o.html); err != nil {
			return nil, fmt.Errorf("cannot write the report: %w", errors.Join(err, out.discard()))
		}
	}
	return out, nil
}

// openOutput opens a file for writing without truncating it.
func openOutput(name string) (*outputFile, error) {
	_, err := os.Lstat(name)
	created := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return &outputFile{f, created}, nil
}

// write writes the report to standard output and all files, and closes the files.
func (o *outputs) write(stdout io.Writer, r *report.Result) error {
	table := map[string]func(io.Writer) error{"": r.WriteText, "json": r.WriteJSON, "html": r.WriteHTML}[o.toStdout]
	return errors.Join(table(stdout), o.json.fill(r.WriteJSON), o.html.fill(r.WriteHTML))
}

// fill replaces the file's content and closes it.
func (f *outputFile) fill(write func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	var errs []error
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() { // a pipe cannot be truncated
		errs = append(errs, f.Truncate(0))
	}
	return errors.Join(append(errs, write(f), f.Close())...)
}

// discard closes the files of a run without a report. Existing files stay unchanged and
// new ones are removed.
func (o *outputs) discard() error {
	var errs []error
	for _, f := range []*outputFile{o.json, o.html} {
		if f == nil {
			continue
		}
		errs = append(errs, f.Close())
		if f.created {
			errs = append(errs, os.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
