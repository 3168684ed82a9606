// Package edge is what every listener of the gateway has, whatever is spoken there.
//
// A Fault is an answer that is an error. It has two encodings: Write for devices, WriteException for AWS's own APIs.
// Refusals logs it, within a LogLimit.
package edge
