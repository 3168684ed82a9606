// Package demo is `jobgate demo`: a gateway that needs no setup, and an object store in place of AWS.
//
//	samples (bucket of firmware, of templates) -> object store: S3 and STS, verifies every signature
//	configuration -> gateway (the program's own, by Start) -> printed commands; with --once it runs them
package demo
