// Package fleet tests several gateways on one database, with real processes: the built binary, PostgreSQL with its disk
// flushes, and what breaks in between.
//
//	load ──HTTP──► gateway, gateway, gateway ──[proxy]──► PostgreSQL ──► standby
//	                  ▲ killed, frozen                       ▲ stopped, promoted
//	devices ──MQTT──[proxy]──► gateways, or a broker ◄──[proxy]── gateways
//
// After each fault: no answered change is lost, the store adds up (jobgate store check), nothing has to be restarted by
// hand, and the times of the design hold. JOBGATE_FLEET_FAULTS says how often each fault happens; 1 unless set.
// JOBGATE_FLEET_DEVICES is how many devices hold an MQTT connection to a gateway that is killed; 200 unless set.
package fleet
