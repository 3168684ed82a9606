package load

import (
	"strconv"

	"jobgate/bench/load/answer"

	"jobgate/bench/report"
)

// result adds up all shards once no worker records any more.
func (r *recorder) result() *report.Result {
	res := &report.Result{Format: report.Format, Latency: report.NewHistogram(), Intervals: r.intervals}
	if r.open {
		res.Service, res.Lag = report.NewHistogram(), report.NewHistogram()
	}
	c := &res.Counts
	c.Intended, c.Skipped, c.Status = r.due.Load(), r.skipped.Load(), map[string]int64{}
	var counts [answer.Kinds]int64
	var examples [answer.Kinds]string
	for i, sh := range r.shards {
		res.Latency.Merge(sh.latency)
		if r.open {
			res.Service.Merge(sh.service)
			res.Lag.Merge(sh.lag)
		}
		if sh.shed.Count() > 0 {
			if res.Shed == nil {
				res.Shed = report.NewHistogram()
			}
			res.Shed.Merge(sh.shed)
		}
		c.Sent += sh.sent
		c.Waited += sh.waited
		c.BytesIn += sh.in
		c.BytesOut += sh.out
		c.Reconnects += sh.reopened
		for k, n := range sh.kinds {
			counts[k] += n
			if examples[k] == "" {
				examples[k] = sh.examples[k]
			}
		}
		for code, n := range sh.status {
			if n > 0 {
				c.Status[strconv.Itoa(code)] += n
			}
		}
		addOperations(res, sh.ops, i == 0)
	}
	countKinds(res, counts, examples)
	return res
}

// addOperations adds a shard's operations; a run of a single one needs no table.
func addOperations(res *report.Result, ops []report.Operation, first bool) {
	if len(ops) < 2 {
		return
	}
	if first {
		res.Operations = append(res.Operations, ops...)
		return
	}
	for i, o := range ops {
		res.Operations[i].Good += o.Good
		res.Operations[i].Failed += o.Failed
		res.Operations[i].Latency.Merge(o.Latency)
	}
}

// countKinds turns the kinds into the result's totals and errors.
func countKinds(res *report.Result, counts [answer.Kinds]int64, examples [answer.Kinds]string) {
	for k := range answer.Kinds {
		n := counts[k]
		switch {
		case n == 0:
		case k == answer.Good:
			res.Counts.Good = n
		case k == answer.Abandoned:
			res.Counts.Abandoned = n
		default:
			res.Counts.Failed += n
			res.Errors = append(res.Errors, report.Error{Kind: k.String(), Count: n, Example: examples[k]})
		}
	}
}
