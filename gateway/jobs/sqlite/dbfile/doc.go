// Package dbfile is the database file of the embedded store: its path, schema, consistency and backup.
//
//	Prepare ──► Migrate ──► the store has it open ──► Opened.Look
//	            CheckFile, Backup: beside that process
//
// It handles files and connections; it keeps nothing in memory and is independent of the writer.
package dbfile
