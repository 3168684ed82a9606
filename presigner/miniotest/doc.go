// Package miniotest gives tests a real S3 and STS: a MinIO server on a free loopback
// port, and a proxy in front of it that counts requests and injects faults.
//
//	Start(tb) ── find the binary ── run it once per test process ── wait until it serves
//	               │
//	               cache folder, then PATH and GOPATH/bin (same version), then "go install"
//
//	code under test ── Proxy ── Server
//	                     │
//	                     counts by kind; outage, delay, short sessions,
//	                     a role's longest session, a server whose clock is off
//
// MinIO verifies every signature and returns the objects' bytes, but it grants any role
// ARN to the root user and refuses role chaining: it proves bytes and signatures, not
// which role was requested. The proxy records that.
//
// If no server is available, a test is skipped with the reason; if the environment variable
// JOBGATE_TEST_REQUIRE_SERVERS is set, it fails.
package miniotest
