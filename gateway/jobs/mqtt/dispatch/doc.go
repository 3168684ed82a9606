// Package dispatch is what a device says on AWS's topics of jobs, and what it is told there, whatever carries the messages:
// the gateway's own front, or a broker that the fleet already has (AWS.md §7).
//
//	$aws/things/T/jobs/get                     ─► GetPendingJobExecutions       ─► …/accepted | …/rejected
//	$aws/things/T/jobs/start-next              ─► StartNextPendingJobExecution
//	$aws/things/T/jobs/J/get                   ─► DescribeJobExecution           J may be $next
//	$aws/things/T/jobs/J/update                ─► UpdateJobExecution
//	$aws/things/T/jobs/J/namespace-N/get, …/update                               as Greengrass asks
//	$aws/things/T/jobs/notify, notify-next, notify-namespace-N                   the gateway tells
//
// Everything is decided by the jobs service; here are topics and payloads only. A payload is JSON: times are whole seconds,
// jobDocument is an object, numbers may arrive as strings, and no payload at all is one without members.
package dispatch
