// Package packet reads and writes the packets of MQTT 3.1.1 and 5 that a device and the gateway exchange.
//
//	 0        1 … 4              then
//	┌──────┬──────────────────┬───────────────────────────────────────────┐
//	│type  │ remaining length │ variable header, properties (5), payload  │
//	│flags │ 7 bits a byte    │                                           │
//	└──────┴──────────────────┴───────────────────────────────────────────┘
//
// Split finds the first packet in a buffer; ParseConnect and its like take its body apart. What they return lies in the
// buffer and is valid as long as its bytes are. The Append methods write a whole packet behind what a buffer holds. Nothing
// here allocates, keeps a reference, or does I/O; every function is safe for concurrent use.
//
// QoS 2 and extended authentication are not served, so PUBREC, PUBREL, PUBCOMP and AUTH are known by name only.
// Sections are those of OASIS "MQTT Version 5.0" (5 §…) and "MQTT Version 3.1.1" (3 §…).
package packet
