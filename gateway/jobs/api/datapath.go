package api

import (
	"bytes"
)

// dataOperation is an operation of the data plane (AWS.md §4).
type dataOperation uint8

const (
	noDataOperation dataOperation = iota
	getPending                    // GET /things/{thingName}/jobs
	describe                      // GET /things/{thingName}/jobs/{jobId}
	startNext                     // PUT /things/{thingName}/jobs/$next
	update                        // POST /things/{thingName}/jobs/{jobId}
)

var dataOperationNames = [...]string{"", "GetPendingJobExecutions", "DescribeJobExecution", "StartNextPendingJobExecution", "UpdateJobExecution"}

var (
	thingsPrefix = []byte("/things/")
	jobsSegment  = []byte("jobs")
	next         = []byte("$next")
	nextEncoded  = []byte("%24next")
)

// dataTarget is what a path of the data plane names, its segments as sent.
type dataTarget struct {
	operation  dataOperation
	thing, job []byte
}

// parseDataPath takes a path as sent apart; the operation is noDataOperation when it is not the data plane's. It
// allocates nothing.
func parseDataPath(method, path []byte) (t dataTarget) {
	rest, ok := bytes.CutPrefix(path, thingsPrefix)
	if !ok {
		return t
	}
	thing, rest, ok := bytes.Cut(rest, slash)
	if !ok || len(thing) == 0 {
		return t
	}
	segment, job, more := bytes.Cut(rest, slash)
	if !bytes.Equal(segment, jobsSegment) || more && (len(job) == 0 || bytes.IndexByte(job, '/') >= 0) {
		return t
	}
	t.thing, t.job = thing, job
	switch string(method) {
	case "GET":
		t.operation = describe
		if !more {
			t.operation = getPending
		}
	case "PUT":
		if bytes.Equal(job, next) || bytes.EqualFold(job, nextEncoded) && bytes.HasSuffix(job, next[1:]) {
			t.operation = startNext
		}
	case "POST":
		if more {
			t.operation = update
		}
	}
	return t
}

var slash = []byte("/")

// appendDecoded appends a segment with its percent-encoding undone, once. ok is false for one that is not encoded
// right.
func appendDecoded(dst, segment []byte) (decoded []byte, ok bool) {
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if c == '%' {
			if i+2 >= len(segment) {
				return dst, false
			}
			high, low := unhex(segment[i+1]), unhex(segment[i+2])
			if high > 15 || low > 15 {
				return dst, false
			}
			c = high<<4 | low
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, true
}

// unhex returns the value of a hexadecimal digit, 255 for what is none.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// isName says whether s is a name of 1 to limit characters of [a-zA-Z0-9_-], and ':' where colon says so: what the
// model's patterns of thing names and job ids say, without a regular expression.
func isName(s []byte, limit int, colon bool) bool {
	if len(s) == 0 || len(s) > limit {
		return false
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		case c == ':' && colon:
		default:
			return false
		}
	}
	return true
}

// The longest names (AWS.md §4, Types).
const (
	maxThingName = 128
	maxJobID     = 64
)
