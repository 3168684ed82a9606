package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a streaming standby of the server. A commit on the server waits for it from then on.
func (s *Server) Standby() (*Server, error) {
	folder, err := os.MkdirTemp(filepath.Dir(filepath.Dir(s.Folder)), folderPrefix)
	if err != nil {
		return nil, err
	}
	b := &Server{Folder: filepath.Join(folder, "data"), Careless: s.Careless, programs: s.programs}
	if err := b.runAs(folder); err != nil {
		return nil, err
	}
	backup := b.command("pg_basebackup", "-D", b.Folder, "-R", "-c", "fast", "-X", "stream", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-U", "postgres")
	if text, err := backup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, text)
	}
	if err := b.Run(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return b, s.execute(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
}

// Promote makes a standby the primary, whose commits wait for no standby.
func (s *Server) Promote(ctx context.Context) error {
	return s.execute(ctx, "SELECT pg_promote(true, 30)", "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
}

func (s *Server) execute(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	for _, sql := range statements {
		if _, err = conn.Exec(ctx, sql); err != nil {
			break
		}
	}
	return errors.Join(err, conn.Close(ctx))
}
