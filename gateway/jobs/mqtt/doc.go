// Package mqtt is AWS's MQTT interface of jobs for devices: MQTT 3.1.1 and 5 on a listener of the gateway. It is not a
// general broker: a device only talks to the jobs service, on the topics of its own thing. Nothing is retained, and messages
// are not queued.
//
//	bytes ──► packet ──► session ──► dispatch ──► jobs.Service         a device's request
//	          (codec)       │            │
//	               ◄────────┴────────────┘                             …/accepted, …/rejected
//
//	jobs.Events ──► follow ──► queue ──► deliver ──► notify, notify-next   a notice to a device
//
// A connection holds a buffer only while it has bytes of a packet. Its turn is held while packets are handled or notices sent,
// so that an answer goes out before the notice of its effect. A notice is built when it is sent, from the executions pending
// then; while one is in flight, or the device is slow, further changes only set a flag.
//
// A session is identified by the thing and the client id. It keeps subscriptions and the content of the last notices, and
// outlives its connection for as long as the device asked, within a bound.
package mqtt
