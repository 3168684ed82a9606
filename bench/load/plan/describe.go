package plan

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"jobgate/bench/report"
)

// Describe returns the part of a report that repeats the run's settings.
func (p *Plan) Describe(flows []CompiledFlow) report.Plan {
	d := report.Plan{
		Target: report.Target(p.URL), Scenario: p.Scenario, Loop: report.ClosedLoop, Connections: p.Connections,
		Warmup: p.Warmup.Seconds(), KeepAlive: p.KeepAlive, Timeout: p.Timeout.Seconds(),
	}
	if p.Unix != "" {
		d.Target += " by " + p.Unix
	}
	if p.Open() {
		d.Loop, d.Arrivals = report.OpenLoop, "constant"
		if p.Poisson {
			d.Arrivals = "Poisson"
		}
		for _, s := range p.Stages {
			d.Stages = append(d.Stages, report.Stage{From: s.From, To: s.To, Seconds: s.Length.Seconds()})
		}
	}
	d.Names = p.names(flows)
	return d
}

func describeNames(what string, n Names) string {
	if n.Count == 1 {
		return "1 of " + what
	}
	s := humanize.Comma(int64(n.Count)) + " " + what
	if n.First > 0 {
		s += fmt.Sprintf(" from %d on", n.First)
	}
	s += " " + n.Spread
	if n.Spread == Zipf {
		s += fmt.Sprintf(" (%g)", n.Skew)
	}
	return s
}

// names describes the names in the requests.
func (p *Plan) names(flows []CompiledFlow) string {
	var things, jobs bool
	for _, f := range flows {
		for _, s := range f.Steps {
			for _, part := range append(s.Request.head.parts, s.Request.body.parts...) {
				things = things || part.slot == slotThing
				jobs = jobs || part.slot == slotJob
			}
		}
	}
	var words []string
	if things {
		words = append(words, describeNames("things", p.Things))
	}
	if jobs {
		words = append(words, describeNames("jobs", p.Jobs))
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, ", ") + fmt.Sprintf(", seed %d", p.Seed)
}
