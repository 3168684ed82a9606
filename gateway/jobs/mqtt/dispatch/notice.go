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

// Mark tells states of what a device is told of apart: the set of its pending executions, or which comes first. Marks are
// this process's; the zero Mark is nothing pending.
type Mark uint64

var seed = maphash.MakeSeed()

// markOf returns the mark of one execution. Reports do not change it, a further attempt does.
func markOf(e *jobs.Execution) Mark {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(e.Job.ID)
	var number [40]byte
	b := strconv.AppendInt(number[:0], e.Number, 16)
	_, _ = h.Write(strconv.AppendInt(append(b, '/'), e.Job.CreatedAt.UnixMilli(), 16)) // a job may take a deleted one's id
	return Mark(h.Sum64() | 1)
}

// Pending is what is pending for a thing in a namespace.
type Pending struct {
	jobs.PendingExecutions
	Set  Mark // of all of them, in any order
	Next Mark // of the one that comes first
}

// Pending asks what is pending for a thing: for the jobs without a namespace, or for those of one. The lists lie in buf's
// array if it is large enough.
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

// AppendNotify appends the payload of notify: the lists that are not empty.
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

// AppendNext appends the payload of notify-next, and returns the mark of what it names: the next execution with its
// document, or nothing. A document that would make it longer than limit bytes is left out; limit 0 is none. On an error
// it returns dst as it was.
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

// Namespaces returns the namespaces of the jobs that are pending for a thing, without the jobs that have none.
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
