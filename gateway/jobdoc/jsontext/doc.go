// Package jsontext reads and writes text in JSON strings, in JSON strings within those, and so on (RFC 8259 §7).
//
//	{"a": "x", "b": "{\"c\": \"y\"}"}
//	       1          1     2            the depths at which x and y stand: Depths; Reader reads them; AppendEscaped writes
//
// It is pure, and knows nothing of placeholders.
package jsontext
