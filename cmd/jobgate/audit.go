package main

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// auditFile records operators' changes in a file, one JSON object a line. It is safe for concurrent use.
type auditFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// openAudit opens the file, readable by its owner only, and returns a logger that writes to it. Both are nil for "".
func openAudit(path string) (*auditFile, *slog.Logger, error) {
	if path == "" {
		return nil, nil, nil
	}
	a := &auditFile{path: path}
	if err := a.reopen(); err != nil {
		return nil, nil, err
	}
	return a, slog.New(slog.NewJSONHandler(a, nil)), nil
}

// reopen opens the path again, because log rotation may have moved the old file away.
func (a *auditFile) reopen() error {
	if a == nil {
		return nil
	}
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the audit file: %w; see jobs.audit_file", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil {
		_ = a.file.Close()
	}
	a.file = file
	return nil
}

// Write appends a line.
func (a *auditFile) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Write(line)
}

// Close closes the file.
func (a *auditFile) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Close()
}
