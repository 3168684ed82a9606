// Package e2e proves the whole command from outside. It holds tests only: they build the
// binary once and drive it as an operator does, with a configuration file, the
// environment and signals, and they ask as devices ask.
//
//	test ─┬─ jobgate.yaml, AWS_…, JOBGATE_…, signals ──▶ jobgate serve ──▶ miniotest.Proxy ──▶ MinIO
//	      ├─ documents, as a device ───────────────────────▶ │              counts, plays    S3 and STS
//	      ├─ /metrics, /readyz, reload ────────────────────▶ │              outages
//	      └─ the URLs in the documents, as a device ─────────────────────────▶ │
//
// When all tests have ended, everything that every gateway logged is searched for
// credentials, session tokens and signatures.
package e2e
