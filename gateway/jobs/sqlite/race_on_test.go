//go:build race

package sqlite_test

// The race detector makes SQLite, which is compiled to Go here, at least twenty times slower.
const underRace = true
