// Package e2e tests the whole command from outside. It has tests only. They build the binary once, operate it with a
// configuration file, the environment and signals, and send requests as devices do.
//
//	test ─┬─ jobgate.yaml, AWS_…, JOBGATE_…, signals ──▶ jobgate serve ──▶ miniotest.Proxy ──▶ MinIO
//	      ├─ documents, as a device ───────────────────────▶ │              counts, plays    S3 and STS
//	      ├─ /metrics, /readyz, reload ────────────────────▶ │              outages
//	      └─ the URLs in the documents, as a device ─────────────────────────▶ │
//
// After all tests, the logs of all gateways are searched for credentials, session tokens and signatures.
package e2e
