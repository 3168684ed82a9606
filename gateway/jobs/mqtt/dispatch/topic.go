package dispatch

import (
	"bytes"

	"jobgate/gateway/jobs/wire"
)

// Operation is what a topic asks for.
type Operation uint8

// The operations. Unknown is a topic of a thing's jobs that is none that a device may publish to.
const (
	Unknown Operation = iota
	GetPending
	StartNext
	Describe
	Update
)

var operationNames = [...]string{"unknown", "GetPendingJobExecutions", "StartNextPendingJobExecution", "DescribeJobExecution", "UpdateJobExecution"}

// String returns AWS's name.
func (o Operation) String() string { return operationNames[o] }

// DefaultPrefix is what stands before /things/… on AWS.
const DefaultPrefix = "$aws"

// Topic is a topic of a thing's jobs, taken apart. It lies in the topic's bytes.
type Topic struct {
	Thing     []byte
	Operation Operation
	Job       []byte // Describe, Update
	Namespace []byte // of a topic of a namespace; nil: none
}

var (
	thingsLevel     = []byte("/things/")
	jobsLevel       = []byte("jobs")
	namespacePrefix = []byte("namespace-")
	slash           = []byte("/")
)

// ParseTopic takes a topic apart; false if it is none of a thing's jobs under prefix. Levels are counted, because a job
// may be called get, update or notify.
func ParseTopic(prefix string, topic []byte) (t Topic, ok bool) {
	rest, ok := cutPrefix(prefix, topic)
	if !ok {
		return t, false
	}
	thing, rest, _ := bytes.Cut(rest, slash)
	level, rest, ok := bytes.Cut(rest, slash)
	if !ok || len(thing) == 0 || !bytes.Equal(level, jobsLevel) {
		return t, false
	}
	t.Thing = thing
	first, rest, more := bytes.Cut(rest, slash)
	if !more {
		switch string(first) {
		case "get":
			t.Operation = GetPending
		case "start-next":
			t.Operation = StartNext
		}
		return t, true
	}
	second, rest, more := bytes.Cut(rest, slash)
	if more {
		if t.Namespace, ok = bytes.CutPrefix(second, namespacePrefix); !ok || len(t.Namespace) == 0 {
			return Topic{Thing: thing}, true
		}
		second = rest
	}
	t.Job = first
	switch string(second) {
	case "get":
		t.Operation = Describe
	case "update":
		t.Operation = Update
	default:
		return Topic{Thing: thing}, true
	}
	return t, true
}

// cutPrefix returns what follows prefix and /things/.
func cutPrefix(prefix string, topic []byte) ([]byte, bool) {
	if len(topic) < len(prefix) || string(topic[:len(prefix)]) != prefix {
		return nil, false
	}
	return bytes.CutPrefix(topic[len(prefix):], thingsLevel)
}

// OwnFilter says whether a filter keeps to a thing's jobs: no wildcard stands for a thing's name, and no topic of another
// kind is named. A wildcard below the thing may.
func OwnFilter(prefix, thing string, filter []byte) bool {
	rest, ok := cutPrefix(prefix, filter)
	if !ok {
		return false
	}
	name, rest, ok := bytes.Cut(rest, slash)
	if !ok || string(name) != thing {
		return false
	}
	level, _, more := bytes.Cut(rest, slash)
	switch {
	case len(level) == 1 && (level[0] == '#' || level[0] == '+' && more):
		return true
	default:
		return more && bytes.Equal(level, jobsLevel)
	}
}

// AppendTopic appends the topic of a thing's jobs that ends in rest: "notify-next".
func AppendTopic(dst []byte, prefix, thing, rest string) []byte {
	dst = append(append(dst, prefix...), thingsLevel...)
	dst = append(append(dst, thing...), "/jobs/"...)
	return append(dst, rest...)
}

// Notices that a device may subscribe to, as the last level of their topics.
const (
	Notify          = "notify"
	NotifyNext      = "notify-next"
	NotifyNamespace = "notify-namespace-" // and the namespace
)

// IsThingName says whether s can be a thing's name: [a-zA-Z0-9:_-]{1,128}.
func IsThingName(s []byte) bool { return wire.IsName(s, wire.MaxThingName, true) }
