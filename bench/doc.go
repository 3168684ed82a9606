// Package bench is the command "jobgate bench": it plays a fleet of devices against a
// gateway and reports what they saw.
//
//	flags, scenario.yaml ──▶ plan.Plan ──▶ load.Run ──▶ report.Result
//	                                          │            ├──▶ text, --json, --html
//	                         progress bar ◀───┘            └──▶ --assert: exit code
//	bench diff A.json B.json, bench merge A.json B.json … ──▶ report.Result
//
// Package load does the work (load/plan: what is sent and when; load/answer: whether what
// comes back is right), package report the writing. The comparisons with peers
// are a module of their own, bench/peers.
package bench
