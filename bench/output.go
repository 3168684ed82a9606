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

// output is where a report goes beside the table on standard output.
type output struct {
	json, html string // file names; "-" is standard output, instead of the table
}

func (o *output) register(set *pflag.FlagSet) {
	set.StringVar(&o.json, "json", "", "write the report as JSON to this file, for diff and merge (- for standard output, instead of the table)")
	set.StringVar(&o.html, "html", "", "write the report as one HTML file with plots, which opens offline (- for standard output, instead of the table)")
}

// outputs are the opened files. They are opened before the run, so that a file that
// cannot be written is not found out after it, and emptied when there is a report, so
// that a run that never was leaves an earlier report alone.
type outputs struct {
	json, html *outputFile // nil: not asked for, or to standard output
	toStdout   string      // "json" or "html" instead of the table
}

// outputFile is a file to write to; made says that it was not there before.
type outputFile struct {
	*os.File
	made bool
}

func (o *output) open() (*outputs, error) {
	if o.json != "" && filepath.Clean(o.json) == filepath.Clean(o.html) {
		return nil, fmt.Errorf("cannot write both reports to %q: give --json and --html names of their own", o.json)
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

// openOutput opens a file for writing and leaves what is in it.
func openOutput(name string) (*outputFile, error) {
	_, err := os.Lstat(name)
	made := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return &outputFile{f, made}, nil
}

// write writes the report everywhere and closes the files.
func (o *outputs) write(stdout io.Writer, r *report.Result) error {
	table := map[string]func(io.Writer) error{"": r.WriteText, "json": r.WriteJSON, "html": r.WriteHTML}[o.toStdout]
	return errors.Join(table(stdout), o.json.fill(r.WriteJSON), o.html.fill(r.WriteHTML))
}

// fill replaces what is in the file and closes it.
func (f *outputFile) fill(write func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	var errs []error
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() { // a pipe has nothing to empty
		errs = append(errs, f.Truncate(0))
	}
	return errors.Join(append(errs, write(f), f.Close())...)
}

// discard closes the files of a run that has no report, as they were before.
func (o *outputs) discard() error {
	var errs []error
	for _, f := range []*outputFile{o.json, o.html} {
		if f == nil {
			continue
		}
		errs = append(errs, f.Close())
		if f.made {
			errs = append(errs, os.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
