package dispatch

import (
	"bytes"

	"jobgate/gateway/jobs/wire"
)

// Operation is the operation that a topic requests.
type Operation uint8

// The operations. Unknown is a topic of a thing's jobs that devices may not publish to.
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

// DefaultPrefix is AWS's prefix of /things/….
const DefaultPrefix = "$aws"

// Topic is a parsed topic of a thing's jobs. It refers to the topic's bytes.
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

// ParseTopic parses a topic; false if it is not a topic of a thing's jobs under prefix. It counts levels, because a job may be
// named get, update or notify.
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

// OwnFilter reports whether a filter matches only topics of a thing's jobs. Wildcards are allowed below the thing's name, but
// not in its place.
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

// AppendTopic appends the topic of a thing's jobs with the end rest: "notify-next".
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

// IsThingName reports whether s can be a thing's name: [a-zA-Z0-9:_-]{1,128}.
func IsThingName(s []byte) bool { return wire.IsName(s, wire.MaxThingName, true) }
