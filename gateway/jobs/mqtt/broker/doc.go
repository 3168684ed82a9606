// Package broker is AWS's MQTT interface of jobs by way of a broker that the fleet already has: the gateway is a client of
// it, and devices keep their connections.
//
//	device ──► broker ──► $share/jobgate/$aws/things/+/jobs/… ──► one of the gateways ──► dispatch ──► jobs.Service
//	device ◄── broker ◄── $aws/things/T/jobs/…/accepted ◄─────────┘
//
// Requests of one thing are handled in the order in which they arrive, and acknowledged after they were answered. Notices
// are made when they are sent and repeated until the broker has taken them: at least once, in order a thing. Who may say
// what is the broker's to know; a probe at the start says what it found.
package broker
