// Package report holds the result of a load run and formats it.
//
//	load ──▶ Result ──▶ JSON ──▶ Merge (many load machines, one Result)
//	           │                   Diff  (before and after)
//	           ├──▶ WriteText, WriteHTML
//	           └──▶ Asserts.Check (an exit code for CI)
//
// A Result carries its latencies as HDR histograms, not as finished percentiles,
// so that merging the results of several processes gives exact percentiles.
// The package does I/O only on the readers and writers it is given; its types
// are plain values and not safe for concurrent use.
package report
