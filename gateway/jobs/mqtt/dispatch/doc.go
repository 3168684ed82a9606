// Package dispatch handles requests and notices on AWS's topics of jobs, for both transports: the gateway's own MQTT server,
// and the fleet's existing broker (AWS.md §7).
//
//	$aws/things/T/jobs/get                     ─► GetPendingJobExecutions       ─► …/accepted | …/rejected
//	$aws/things/T/jobs/start-next              ─► StartNextPendingJobExecution
//	$aws/things/T/jobs/J/get                   ─► DescribeJobExecution           J may be $next
//	$aws/things/T/jobs/J/update                ─► UpdateJobExecution
//	$aws/things/T/jobs/J/namespace-N/get, …/update                               used by Greengrass
//	$aws/things/T/jobs/notify, notify-next, notify-namespace-N                   notices by the gateway
//
// The jobs service decides everything; this package handles topics and payloads only. A payload is JSON: times are whole
// seconds, jobDocument is an object, numbers may arrive as strings, and an empty payload counts as an empty object.
package dispatch
