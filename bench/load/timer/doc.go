// Package timer waits more precisely than the runtime's timers do, as an open loop of requests needs it.
package timer
