// Package demo is `jobgate demo`: a gateway with nothing to set up, beside an object store that stands in for AWS.
//
//	samples (bucket of firmware, of templates) -> object store: S3 and STS, verifies every signature
//	configuration -> gateway (the program's own, by Start) -> printed lines, or with --once played
package demo
