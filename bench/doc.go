// Package bench is the command "jobgate bench": it simulates a fleet of devices against a
// gateway and reports their latencies and errors.
//
//	flags, scenario.yaml ──▶ plan.Plan ──▶ load.Run ──▶ report.Result
//	                                          │            ├──▶ text, --json, --html
//	                         progress bar ◀───┘            └──▶ --assert: exit code
//	bench diff A.json B.json, bench merge A.json B.json … ──▶ report.Result
//
// Package load generates the load (load/plan: what is sent and when; load/answer: whether
// the answers are right), and package report writes the reports. The comparisons with
// peers are a separate module, bench/peers.
package bench
