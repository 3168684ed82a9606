// Package fleet tests several gateways on one database, with real processes: the built binary, PostgreSQL with its disk
// flushes, and what breaks in between.
//
//	load ──HTTP──► gateway, gateway, gateway ──[proxy]──► PostgreSQL ──► standby
//	                  ▲ killed, frozen                       ▲ stopped, promoted
//
// After each fault: no answered change is lost, the store adds up (jobgate store check), nothing has to be restarted by
// hand, and the times of the design hold. JOBGATE_FLEET_FAULTS says how often each fault happens; 1 unless set.
package fleet
