package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/cli"
	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/sqlite"
	"jobgate/gateway/jobs/sqlite/dbfile"
)

// commandTimeout is the time limit of a database call in the commands.
const commandTimeout = 30 * time.Second

// Command returns jobgate store.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Move, back up, check and migrate the jobs store",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCopy(), newBackup(), newCheck(), newMigrate(), newUnfence())
	return cmd
}

// storeFlags select the store: --store, else jobs.store.
type storeFlags struct {
	cli.ConfigFlags
	store, password string
}

func (f *storeFlags) register(cmd *cobra.Command) {
	f.Add(cmd, nil)
	cmd.Flags().StringVar(&f.store, "store", "", "`STORE`: a file, or postgres://user@host/database (default: jobs.store of the configuration)")
	cmd.Flags().StringVar(&f.password, "password-file", "", "`FILE` with the database's password (default: jobs.store_password_file)")
}

// endpoint is the store that a command uses.
type endpoint struct {
	store, password string         // password is a file
	names           postgres.Names // flags to name in errors; "": the settings
}

// resolve returns the store.
func (f *storeFlags) resolve(cmd *cobra.Command) (endpoint, error) {
	e := endpoint{store: f.store, password: f.password}
	if f.store != "" {
		e.names.URL = "--store"
	}
	if f.store != "" || f.password != "" {
		e.names.PasswordFile = "--password-file"
	}
	if f.store != "" {
		return e, nil
	}
	o, err := f.Options(cmd, config.Signing)
	if err != nil {
		return e, err
	}
	loaded, err := config.Load(o)
	if err != nil {
		return e, err
	}
	e.store = loaded.Jobs.Store
	if f.password == "" {
		e.password = loaded.Jobs.StorePasswordFile
	}
	return e, nil
}

// onStore returns cmd with the flags that select a store, and runs run with that store.
func onStore(cmd *cobra.Command, run func(cmd *cobra.Command, at endpoint, args []string) error) *cobra.Command {
	var flags storeFlags
	flags.register(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := flags.resolve(cmd)
		if err != nil {
			return err
		}
		return run(cmd, at, args)
	}
	return cmd
}

// isDatabase reports whether a store is a shared database.
func isDatabase(store string) bool { return (&config.Jobs{Store: store}).SharedStore() }

// openCopier opens a store for a command. A file must exist unless mode is openCreate.
func openCopier(ctx context.Context, at endpoint, mode openMode, log *slog.Logger) (engine.Copier, error) {
	if isDatabase(at.store) {
		e, err := postgres.Open(ctx, postgres.Options{
			URL: at.store, PasswordFile: at.password, Names: at.names, Timeout: commandTimeout, NoMigrate: mode != openCreate, Log: log,
		})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	if _, err := os.Stat(at.store); err != nil && mode != openCreate {
		return nil, fmt.Errorf("cannot open the jobs store %q: %w", at.store, err)
	}
	e, err := sqlite.Open(ctx, sqlite.Options{Path: at.store, Log: log})
	if err != nil {
		if errors.Is(err, jobs.ErrStoreInUse) {
			err = fmt.Errorf("%w: stop the gateway that has it open", err)
		}
		return nil, err
	}
	return e, nil
}

type openMode uint8

const (
	openExisting openMode = iota // the store must exist
	openCreate                   // the store may be created and migrated
)

func newBackup() *cobra.Command {
	return onStore(&cobra.Command{
		Use:   "backup FILE",
		Short: "Copy a store's file while the gateway runs",
		Long: `Writes a consistent copy of the jobs store's file to FILE, which must not exist, and which only its owner can read. The
gateway keeps running. If FILE is -, the copy goes to standard output, through a temporary file beside the store. To back
up a database, use pg_dump or the server's base backups.`,
		Example: `  jobgate store backup /backup/jobgate.db
  docker exec jobgate /jobgate store backup - > jobgate.db`,
		Args: cobra.ExactArgs(1),
	}, func(cmd *cobra.Command, at endpoint, args []string) error {
		store := at.store
		if isDatabase(store) {
			return errors.New("cannot back up a database: use pg_dump, or the server's base backups")
		}
		if args[0] == "-" {
			return streamBackup(store, cmd.OutOrStdout())
		}
		if err := dbfile.Backup(store, args[0]); err != nil {
			return fmt.Errorf("cannot back up %q to %q: %w", store, args[0], err)
		}
		_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", args[0])
		return nil
	})
}

// streamBackup writes a copy of a store's file to w, for containers that have no shell.
func streamBackup(store string, w io.Writer) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot back up %q to standard output: %w", store, err)
		}
	}()
	folder, err := os.MkdirTemp(filepath.Dir(store), "backup-*") // not in /tmp, which may be memory and too small
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	name := filepath.Join(folder, "jobgate.db")
	if err := dbfile.Backup(store, name); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	_, err = io.Copy(w, f)
	return err
}

// errFaults reports an inconsistent store.
var errFaults = errors.New("the store is inconsistent; keep a copy of it before you change anything")

func newCheck() *cobra.Command {
	return onStore(&cobra.Command{
		Use:   "check",
		Short: "Count what a store holds and check that it is consistent",
		Long:  "Checks counts, orphans, timers and versions. Gateways may be running. The exit status is 1 if something is inconsistent.",
		Args:  cobra.NoArgs,
	}, func(cmd *cobra.Command, at endpoint, _ []string) error {
		report, err := checkStore(cmd.Context(), at)
		if err != nil {
			return err
		}
		return printReport(cmd.OutOrStdout(), &report)
	})
}

func checkStore(ctx context.Context, at endpoint) (r engine.Report, err error) {
	if !isDatabase(at.store) {
		if r, err = dbfile.CheckFile(at.store); err != nil {
			err = fmt.Errorf("cannot check %q: %w", at.store, err)
		}
		return r, err
	}
	e, err := openCopier(ctx, at, openExisting, slog.New(slog.DiscardHandler))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return e.Check(ctx)
}

// printReport prints the result of a check. It returns errFaults if the store is inconsistent.
func printReport(w io.Writer, r *engine.Report) error {
	_, _ = fmt.Fprintf(w, "schema version %d\n", r.Version)
	for _, t := range engine.Tables {
		if n, ok := r.Rows[t.Name]; ok {
			_, _ = fmt.Fprintf(w, "%-10s %d\n", t.Name, n)
		}
	}
	if len(r.Faults) == 0 {
		_, _ = fmt.Fprintln(w, "ok")
		return nil
	}
	faults := slices.Clone(r.Faults)
	slices.SortFunc(faults, func(a, b engine.Fault) int { return strings.Compare(a.What, b.What) })
	for _, f := range faults {
		_, _ = fmt.Fprintf(w, "%d %s\n", f.Rows, f.What)
	}
	return errFaults
}

func newMigrate() *cobra.Command {
	return onStore(&cobra.Command{
		Use:   "migrate",
		Short: "Bring a store's schema to this program's version",
		Long: `Migrates the schema as serve does at its start, for installations where serve runs with --no-migrate. Gateways of the
previous release keep working with the new schema.`,
		Args: cobra.NoArgs,
	}, func(cmd *cobra.Command, at endpoint, _ []string) error {
		if !isDatabase(at.store) {
			if _, err := os.Stat(at.store); err != nil {
				return fmt.Errorf("cannot migrate %q: %w", at.store, err)
			}
		}
		e, err := openCopier(cmd.Context(), at, openCreate, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
		if err != nil {
			return err
		}
		r, err := e.Check(cmd.Context())
		if err = errors.Join(err, e.Close()); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(cmd.OutOrStdout(), "schema version %d\n", r.Version)
		return nil
	})
}

func newUnfence() *cobra.Command {
	return onStore(&cobra.Command{
		Use:   "unfence",
		Short: "Remove the fence of a store that was copied",
		Long:  "Removes the fence that jobgate store copy set. Use it only if no gateway uses the copy, because the two stores would diverge.",
		Args:  cobra.NoArgs,
	}, func(cmd *cobra.Command, at endpoint, _ []string) error {
		e, err := openCopier(cmd.Context(), at, openExisting, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		err = e.Fence(cmd.Context(), false)
		return errors.Join(err, e.Close())
	})
}
