package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"jobgate/cmd/jobgate/cli"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
)

func newCopy() *cobra.Command {
	from := endpoint{names: postgres.Names{URL: "--from", PasswordFile: "--from-password-file"}}
	to := endpoint{names: postgres.Names{URL: "--to", PasswordFile: "--to-password-file"}}
	cmd := &cobra.Command{
		Use:   "copy --from STORE --to STORE",
		Short: "Move all jobs, things and secrets to another store",
		Long: `Copies a jobs store into another one, which must be empty. Each may be a file or a database.

The target is checked first. If it has other rows, the command fails and the source is as it was. Then the source is fenced.
From then on, gateways that use a database answer changes with 503, and still answer reads. A file must not be open, and no
gateway opens it afterwards. The fence remains until jobgate store unfence removes it.

To resume an interrupted copy, run the same command again. If the fence was lifted in between, the source may have changed,
and the copy must begin again with an empty store. Gateways refuse a store whose copy is incomplete.`,
		Example: `  jobgate store copy --from ./jobgate.db --to postgres://jobgate@db/jobgate?sslmode=verify-full --to-password-file /run/secrets/db
  jobgate store copy --from postgres://jobgate@db/jobgate --to ./jobgate.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.store == "" || to.store == "" {
				return cli.Usage(cmd, errors.New("--from and --to are required"))
			}
			return copyStore(cmd.Context(), from, to, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&from.store, "from", "", "`STORE` to copy: a file, or postgres://user@host/database")
	cmd.Flags().StringVar(&to.store, "to", "", "`STORE` to fill; it must be empty")
	cmd.Flags().StringVar(&from.password, "from-password-file", "", "`FILE` with the password of --from")
	cmd.Flags().StringVar(&to.password, "to-password-file", "", "`FILE` with the password of --to")
	return cmd
}

func copyStore(ctx context.Context, from, to endpoint, w io.Writer) (err error) {
	if sameFile(from.store, to.store) {
		return fmt.Errorf("%w: %s and %s are one file", errSame, from.store, to.store)
	}
	log := slog.New(slog.DiscardHandler)
	source, err := openCopier(ctx, from, openExisting, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openCopier(ctx, to, openCreate, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := checkDatabases(ctx, source, target); err != nil {
		return err
	}
	name := from.store
	if !isDatabase(name) {
		if name, err = filepath.Abs(name); err != nil {
			return err
		}
	}
	if err := checkTarget(ctx, source, target, name); err != nil {
		return fmt.Errorf("cannot copy into %s: %w; %s is as it was", to.store, err, from.store)
	}
	// Only store unfence lifts the fence again. This run cannot know whether an earlier one has completed a copy that is in use.
	if err := source.Fence(ctx, true); err != nil {
		return fmt.Errorf("cannot fence %s: %w; if it stays fenced, jobgate store unfence --store %s abandons the copy", from.store, err, from.store)
	}
	_, _ = fmt.Fprintf(w, "%s accepts no more changes\n", from.store)
	rows := 0
	err = engine.Copy(ctx, source, target, name, func(_ string, n int) { rows += n })
	if err != nil {
		return fmt.Errorf("%w; run the command again to resume, or jobgate store unfence --store %s to abandon the copy", err, from.store)
	}
	report, err := target.Check(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "copied %d rows to %s\n", rows, to.store)
	return printReport(w, &report)
}

// checkTarget returns an error unless a copy from source, whose name is name, can begin or resume.
func checkTarget(ctx context.Context, source, target engine.Copier, name string) error {
	begun, err := engine.Begun(ctx, target, name)
	if errors.Is(err, engine.ErrNotEmpty) {
		return fmt.Errorf("%w; name an empty store", err)
	}
	if err != nil || !begun {
		return err
	}
	fenced, err := source.Fenced(ctx)
	if err == nil && !fenced {
		err = fmt.Errorf("it holds a part of %s, which may have changed since its fence was lifted; name an empty store", name)
	}
	return err
}

// errSame reports that a store would be copied to itself.
var errSame = errors.New("cannot copy a store to itself")

// sameFile reports whether two names are those of one file.
func sameFile(a, b string) bool {
	if isDatabase(a) || isDatabase(b) {
		return false
	}
	x, err := os.Stat(a)
	if err != nil {
		return false // opening it reports the error
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// checkDatabases returns an error if two stores are in one database: a fence is for the whole database, and ends the
// connections of both.
func checkDatabases(ctx context.Context, source, target engine.Copier) error {
	a, ok := source.(*postgres.Engine)
	b, both := target.(*postgres.Engine)
	if !ok || !both {
		return nil
	}
	from, err := a.Database(ctx)
	if err != nil {
		return err
	}
	to, err := b.Database(ctx)
	if err == nil && from == to {
		err = fmt.Errorf("%w: --from and --to are one database; the target must be another database; another schema is not enough", errSame)
	}
	return err
}
