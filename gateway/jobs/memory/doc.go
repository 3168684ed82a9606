// Package memory is an engine that keeps its rows in maps: for tests of the rules, and as the proof that an engine needs
// to know none of them.
//
// It is as unkind as a database over a network may be (Moods): it throws a transaction's work away and runs it again, as
// after a serialization failure; it commits and loses the answer; it takes its time. It counts the calls that it gets.
package memory
