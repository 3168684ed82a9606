package load

import (
	"fmt"

	"jobgate/bench/report"
)

// describe fills in the part of a report that repeats what was asked for.
func (p *Plan) describe() report.Plan {
	d := report.Plan{
		Target: report.Target(p.URL), Scenario: p.Scenario, Loop: report.ClosedLoop, Connections: p.Connections,
		Warmup: p.Warmup.Seconds(), KeepAlive: p.KeepAlive, Timeout: p.Timeout.Seconds(),
	}
	if p.Unix != "" {
		d.Target += " by " + p.Unix
	}
	if p.open() {
		d.Loop, d.Arrivals = report.OpenLoop, "constant"
		if p.Poisson {
			d.Arrivals = "Poisson"
		}
		for _, s := range p.Stages {
			d.Stages = append(d.Stages, report.Stage{From: s.From, To: s.To, Seconds: s.Length.Seconds()})
		}
	}
	return d
}

func describeNames(what string, n Names) string {
	if n.Count == 1 {
		return "1 of " + what
	}
	s := report.Count(int64(n.Count)) + " " + what
	if n.First > 0 {
		s += fmt.Sprintf(" from %d on", n.First)
	}
	s += " " + n.Spread
	if n.Spread == Zipf {
		s += fmt.Sprintf(" (%g)", n.Skew)
	}
	return s
}
