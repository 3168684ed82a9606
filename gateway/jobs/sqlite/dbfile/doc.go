// Package dbfile is the database file of the embedded store: where it lies, its schema, whether it adds up, and its backup.
//
//	Prepare ──► Migrate ──► the store has it open ──► Opened.Look
//	            CheckFile, Backup: beside that process
//
// It knows files and connections; it keeps nothing in memory, and it does not know of the writer.
package dbfile
