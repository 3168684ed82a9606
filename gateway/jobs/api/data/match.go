package data

import (
	"bytes"
)

// operation is an operation of the data plane (AWS.md §4).
type operation uint8

const (
	none       operation = iota
	getPending           // GET /things/{thingName}/jobs
	describe             // GET /things/{thingName}/jobs/{jobId}
	startNext            // PUT /things/{thingName}/jobs/$next
	update               // POST /things/{thingName}/jobs/{jobId}
)

var names = [...]string{"", "GetPendingJobExecutions", "DescribeJobExecution", "StartNextPendingJobExecution", "UpdateJobExecution"}

var (
	thingsSegment = []byte("things")
	jobsSegment   = []byte("jobs")
	next          = []byte("$next")
)

// match finds the data plane's operation for a method and a path, and sets the thing and job.
func (x *Exchange) match(method []byte) operation {
	x.operation, x.thing, x.job = none, nil, nil
	path := x.Target.Segments()
	if len(path) != 3 && len(path) != 4 || !bytes.Equal(path[0], thingsSegment) || !bytes.Equal(path[2], jobsSegment) || len(path[1]) == 0 {
		return none
	}
	x.thing = path[1]
	switch {
	case len(path) == 3:
		if string(method) == "GET" {
			x.operation = getPending
		}
		return x.operation
	case len(path[3]) == 0:
		return none
	}
	x.job = path[3]
	switch string(method) {
	case "GET":
		x.operation = describe
	case "PUT":
		if bytes.Equal(x.job, next) {
			x.operation = startNext
		}
	case "POST":
		x.operation = update
	}
	return x.operation
}
