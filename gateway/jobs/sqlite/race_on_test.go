//go:build race

package sqlite_test

// The race detector slows SQLite, which is Go here, by twenty times and more.
const underRace = true
