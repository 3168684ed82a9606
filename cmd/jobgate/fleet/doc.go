// Package fleet tests several gateways on one database, with real processes (the built binary, and PostgreSQL with disk
// flushes) and with faults of processes and connections.
//
//	load ──HTTP──► gateway, gateway, gateway ──[proxy]──► PostgreSQL ──► standby
//	                  ▲ killed, frozen                       ▲ stopped, promoted
//	devices ──MQTT──[proxy]──► gateways, or a broker ◄──[proxy]── gateways
//
// After each fault: no acknowledged change is lost, the store is consistent (jobgate store check), nothing has to be restarted by
// hand, and the design's time limits hold. JOBGATE_FLEET_FAULTS is how often each fault happens, 1 by default.
// JOBGATE_FLEET_DEVICES is how many devices have an MQTT connection to a gateway that is killed, 200 by default.
package fleet
