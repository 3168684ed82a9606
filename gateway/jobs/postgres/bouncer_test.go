package postgres_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/storetest"
	"jobgate/gateway/servertest"
)

// bouncer starts PgBouncer in transaction mode before a server, and returns its address.
func bouncer(t *testing.T, server string) string {
	t.Helper()
	program := servertest.Program(t, "pgbouncer", "pgbouncer")
	host, port, err := net.SplitHostPort(server)
	must(t, err)
	own := servertest.FreeAddress(t)
	_, ownPort, err := net.SplitHostPort(own)
	must(t, err)
	folder, err := os.MkdirTemp("", "jobgate-bouncer-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o755)) //nolint:gosec // another user reads the configuration
	file := filepath.Join(folder, "pgbouncer.ini")
	must(t, os.WriteFile(file, fmt.Appendf(nil, `[databases]
* = host=%s port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
max_client_conn = 200
default_pool_size = 20
`, host, port, ownPort), 0o644)) //nolint:gosec // likewise
	cmd := exec.Command(program, file)
	if os.Getuid() == 0 {
		who, err := user.Lookup("nobody")
		must(t, err)
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // ids of the system
	}
	servertest.Start(t, own, cmd)
	return own
}

// TestPgBouncer runs two gateways' stores through PgBouncer in transaction mode, where no state of a connection outlives a
// transaction.
func TestPgBouncer(t *testing.T) {
	storetest.Handles(t, storetest.Engine{Shared: true, New: func(tb testing.TB) storetest.Opener {
		u, err := url.Parse(pgtest.New(tb))
		if err != nil {
			tb.Fatal(err)
		}
		u.Host = bouncer(t, u.Host)
		u.RawQuery = "sslmode=disable&default_query_exec_mode=exec"
		return func() (jobs.Store, error) {
			e, err := postgres.Open(tb.Context(), postgres.Options{URL: u.String(), Connections: 6})
			if err != nil {
				return nil, err
			}
			return rules.Over(e), nil
		}
	}})
}
