// Package report holds what a load run measured and writes it down.
//
//	load ──▶ Result ──▶ JSON ──▶ Merge (many load machines, one Result)
//	           │                   Diff  (before and after)
//	           ├──▶ WriteText, WriteHTML
//	           └──▶ Asserts.Check (an exit code for CI)
//
// A Result carries its latencies as HDR histograms, not as finished percentiles,
// so that the results of several processes add up to the percentiles of them all.
// The package does no I/O but to the readers and writers it is given; its types
// are plain values and not safe for concurrent use.
package report
