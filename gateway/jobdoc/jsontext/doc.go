// Package jsontext reads and writes text in JSON strings, in JSON strings within those, and so on (RFC 8259 §7).
//
//	{"a": "x", "b": "{\"c\": \"y\"}"}
//	       1          1     2            the depths of x and y: Depths finds them, Reader reads at them, AppendEscaped writes
//
// It does no I/O and does not depend on placeholders.
package jsontext
