// Package dbfile is the database file of the embedded store: its path, schema, consistency and backup.
//
//	Prepare ──► Migrate ──► the store is open ──► Opened.Look
//	            CheckFile, Backup: from another process, even then
//
// It handles files and connections. It keeps no rows in memory and is independent of the writer.
package dbfile
