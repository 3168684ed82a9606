package bench

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"jobgate/bench/report"
)

// output is where a report goes beside the table on standard output.
type output struct {
	json, html string // file names; "-" is standard output, instead of the table
}

func (o *output) register(set *pflag.FlagSet) {
	set.StringVar(&o.json, "json", "", "write the report as JSON to this file, for diff and merge (- for standard output, instead of the table)")
	set.StringVar(&o.html, "html", "", "write the report as one HTML file with plots, which opens offline")
}

// outputs are the opened files. They are opened before the run, so that a file that
// cannot be written is not found out after it.
type outputs struct {
	json, html *os.File // nil: not asked for
	toStdout   bool     // JSON instead of the table
}

func (o *output) open() (*outputs, error) {
	out := &outputs{toStdout: o.json == "-"}
	var err error
	if o.json != "" && !out.toStdout {
		if out.json, err = os.Create(o.json); err != nil {
			return nil, fmt.Errorf("cannot write the report: %w", err)
		}
	}
	if o.html != "" {
		if out.html, err = os.Create(o.html); err != nil {
			return nil, fmt.Errorf("cannot write the report: %w", errors.Join(err, out.close()))
		}
	}
	return out, nil
}

// write writes the report everywhere and closes the files.
func (o *outputs) write(stdout io.Writer, r *report.Result) error {
	var errs []error
	if o.toStdout {
		errs = append(errs, r.WriteJSON(stdout))
	} else {
		errs = append(errs, r.WriteText(stdout))
	}
	if o.json != nil {
		errs = append(errs, r.WriteJSON(o.json))
	}
	if o.html != nil {
		errs = append(errs, r.WriteHTML(o.html))
	}
	return errors.Join(append(errs, o.close())...)
}

func (o *outputs) close() error {
	var errs []error
	for _, f := range []*os.File{o.json, o.html} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
