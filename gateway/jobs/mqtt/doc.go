// Package mqtt is AWS's MQTT interface of jobs for devices: MQTT 3.1.1 and 5 on a listener of the gateway's own. It is no
// general broker: a device talks with the jobs service on the topics of its own thing and with nobody else; nothing is
// retained, and no message waits for anybody.
//
//	bytes ──► packet ──► session ──► dispatch ──► jobs.Service         a device asks
//	          (codec)       │            │
//	               ◄────────┴────────────┘                             …/accepted, …/rejected
//
//	jobs.Events ──► follow ──► queue ──► deliver ──► notify, notify-next   a device is told
//
// A connection holds a buffer only while bytes of a packet are there, and whoever handles its packets or tells it something
// holds its turn, so that an answer goes out before the notice of what it did. A notice is made when it is sent, from what
// is pending then; while one is on its way, or the device is slow, further changes are one mark.
//
// A session is known by who the device is and its client id. It keeps subscriptions and what the device was last told, and
// outlives its connection for as long as the device asked, within a bound.
package mqtt
