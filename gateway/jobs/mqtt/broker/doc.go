// Package broker is AWS's MQTT interface of jobs through the fleet's existing broker: the gateway is a client of it, and
// devices keep their connections.
//
//	device ──► broker ──► $share/jobgate/$aws/things/+/jobs/… ──► one of the gateways ──► dispatch ──► jobs.Service
//	device ◄── broker ◄── $aws/things/T/jobs/…/accepted ◄─────────┘
//
// Requests of one thing are handled in order of arrival, and acknowledged after they were answered. Notices are built when
// they are sent, and repeated until the broker acknowledges them: at least once, in order for each thing. The broker
// authorizes clients; a probe at the start checks and logs that.
package broker
