// Package plan says what a run sends and when: flows of steps, compiled to bytes with holes for names, and the moments at
// which an open loop's requests are due.
//
//	Plan ─▶ Compile ─▶ CompiledFlow, CompiledStep ─▶ Request.AppendTo(Values) ─▶ bytes
//	   └──▶ Schedule ─▶ Arrivals.Next ─▶ moments
//
// It opens no connection and reads no clock; the same seed draws the same requests at the same moments. Compiled
// flows are immutable and safe for concurrent use; a Picker, Arrivals or DueCounter belongs to one goroutine.
package plan
