package dispatch

import (
	"context"
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/wire"
)

// Mark identifies the content of a notice: a hash of the set of pending executions, or of the first one. Marks are valid in
// this process only; the zero Mark means nothing pending.
type Mark uint64

var seed = maphash.MakeSeed()

// markOf returns the mark of one execution. It changes with a new attempt, but not with reports.
func markOf(e *jobs.Execution) Mark {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(e.Job.ID)
	var number [40]byte
	b := strconv.AppendInt(number[:0], e.Number, 16)
	_, _ = h.Write(strconv.AppendInt(append(b, '/'), e.Job.CreatedAt.UnixMilli(), 16)) // a new job may have a deleted one's id
	return Mark(h.Sum64() | 1)
}

// Pending are a thing's pending executions in a namespace.
type Pending struct {
	jobs.PendingExecutions
	Set  Mark // of all of them, in any order
	Next Mark // of the one that comes first
}

// Pending reads a thing's pending executions, of the jobs in a namespace or, with "", of those without one. The lists use
// buf's array if it is large enough.
func (d *Dispatcher) Pending(thing, namespace string, buf []jobs.Execution) (p Pending, err error) {
	p.PendingExecutions, err = d.service.GetPendingIn(context.Background(), thing, jobs.Namespace{ID: namespace, Only: true}, buf[:0])
	if err != nil {
		return Pending{}, err
	}
	for _, list := range [][]jobs.Execution{p.InProgress, p.Queued} {
		for i := range list {
			m := markOf(&list[i])
			p.Set += m
			if p.Next == 0 {
				p.Next = m
			}
		}
	}
	return p, nil
}

// AppendNotify appends the payload of notify: the non-empty lists.
func (d *Dispatcher) AppendNotify(dst []byte, p *Pending, now time.Time) []byte {
	dst = appendTimestamp(append(dst, '{'), now)
	dst = append(dst, `,"jobs":{`...)
	if len(p.InProgress) > 0 {
		dst = wire.AppendSummaries(append(dst, `"IN_PROGRESS":`...), p.InProgress)
	}
	if len(p.Queued) > 0 {
		if len(p.InProgress) > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendSummaries(append(dst, `"QUEUED":`...), p.Queued)
	}
	return append(dst, '}', '}')
}

// AppendNext appends the payload of notify-next, with the next execution and its document, or nothing. It returns the
// execution's mark. The document is omitted if the payload would exceed limit bytes; 0: no limit. On an error it returns dst
// unchanged.
func (d *Dispatcher) AppendNext(dst []byte, thing string, now time.Time, limit int) ([]byte, Mark, error) {
	described, found, err := d.service.Describe(context.Background(), jobs.DescribeExecutionRequest{
		Thing: thing, JobID: jobs.Next, Document: true, Namespace: jobs.Namespace{Only: true},
	})
	if err != nil {
		return dst, 0, err
	}
	before := len(dst)
	dst = appendTimestamp(append(dst, '{'), now)
	if !found {
		return append(dst, '}'), 0, nil
	}
	mark, begin := markOf(&described.Execution), len(dst)
	if dst, err = d.appendExecution(append(dst, ','), &described, now); err != nil {
		return dst[:before], 0, err
	}
	if limit > 0 && len(dst)+1-before > limit {
		described.Document = jobs.Document{}
		dst, _ = d.appendExecution(append(dst[:begin], ','), &described, now) // nothing is signed
	}
	return append(dst, '}'), mark, nil
}

func appendTimestamp(dst []byte, now time.Time) []byte {
	return strconv.AppendInt(append(dst, `"timestamp":`...), now.Unix(), 10)
}

// Namespaces returns the namespaces of a thing's pending jobs, ignoring jobs without one.
func (d *Dispatcher) Namespaces(thing string) (list []string, err error) {
	p, err := d.service.GetPendingIn(context.Background(), thing, jobs.Namespace{}, nil)
	if err != nil {
		return nil, err
	}
	for _, executions := range [][]jobs.Execution{p.InProgress, p.Queued} {
		for i := range executions {
			if n := executions[i].Job.NamespaceID; n != "" && !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	return list, nil
}
