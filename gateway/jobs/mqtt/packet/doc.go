// Package packet reads and writes the packets of MQTT 3.1.1 and 5 that a device and the gateway exchange.
//
//	 0        1 … 4              then
//	┌──────┬──────────────────┬───────────────────────────────────────────┐
//	│type  │ remaining length │ variable header, properties (5), payload  │
//	│flags │ 7 bits a byte    │                                           │
//	└──────┴──────────────────┴───────────────────────────────────────────┘
//
// Split finds the first packet in a buffer; ParseConnect and the other Parse functions parse its body. Their results refer
// to the buffer and are valid as long as its bytes are. The Append functions append a whole packet to a buffer. Nothing
// here allocates, keeps a reference, or does I/O; every function is safe for concurrent use.
//
// QoS 2 and extended authentication are not supported, so of PUBREC, PUBREL, PUBCOMP and AUTH only the names are known.
// Sections are those of OASIS "MQTT Version 5.0" (5 §…) and "MQTT Version 3.1.1" (3 §…).
package packet
